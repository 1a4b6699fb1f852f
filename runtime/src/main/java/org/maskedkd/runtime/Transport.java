package org.maskedkd.runtime;

import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;

/**
 * The one event loop thread of a process, and the limits that both ends of a connection share.
 *
 * <p>One thread moves far more bytes than the stages produce, and every further one would take a
 * core from libtorch. It is a daemon and lives as long as the process.
 */
final class Transport {
  /**
   * Largest message: frames are {@link TensorFrames#FRAME_BYTES}, and the rest leaves room for step
   * records.
   */
  static final int MAX_MESSAGE_BYTES = 8 << 20;

  static final int FLOW_CONTROL_WINDOW_BYTES = 16 << 20;

  private static final boolean EPOLL = Epoll.isAvailable();

  private Transport() {}

  private static final class Loop {
    static final EventLoopGroup GROUP =
        new MultiThreadIoEventLoopGroup(
            /* nThreads= */ 1,
            new DefaultThreadFactory("maskedkd-io", /* daemon= */ true),
            EPOLL ? EpollIoHandler.newFactory() : NioIoHandler.newFactory());
  }

  static EventLoopGroup eventLoop() {
    return Loop.GROUP;
  }

  static Class<? extends ServerChannel> serverChannel() {
    return EPOLL ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
  }

  static Class<? extends Channel> channel() {
    return EPOLL ? EpollSocketChannel.class : NioSocketChannel.class;
  }
}
