package org.maskedkd.runtime;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.concurrent.DefaultThreadFactory;

/**
 * The one event loop thread of a process, its buffers, and the limits that both ends of a
 * connection share.
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

  private static final int PAGE_BYTES = 8192;

  /** Buffers are cut from pieces of {@value #PAGE_BYTES} * 2^11 = 16 MiB. */
  private static final int MAX_ORDER = 11;

  private Transport() {}

  private static final class Loop {
    static final EventLoopGroup GROUP =
        new MultiThreadIoEventLoopGroup(
            /* nThreads= */ 1,
            new DefaultThreadFactory("maskedkd-io", /* daemon= */ true),
            ioHandlers());
  }

  private static final class Buffers {
    static final ByteBufAllocator ALLOCATOR =
        new PooledByteBufAllocator(
            /* preferDirect= */ true,
            /* nHeapArena= */ 1,
            /* nDirectArena= */ 1,
            PAGE_BYTES,
            MAX_ORDER);

    /**
     * Never released. The pool gives a piece back to the system as soon as nothing of it is in use,
     * which is so after every micro-batch, and to get another one costs more than to send what is
     * put into it: the system must map it and Java fills it with zeros.
     */
    @SuppressWarnings("unused")
    static final ByteBuf KEEPER = ALLOCATOR.directBuffer(1);

    static {
      // Takes a stack trace of every hundredth buffer, to find faults of code that handles buffers.
      ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED);
    }
  }

  static ByteBufAllocator allocator() {
    return Buffers.ALLOCATOR;
  }

  static boolean hasSocketFiles() {
    return EPOLL;
  }

  static IoHandlerFactory ioHandlers() {
    return EPOLL ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
  }

  static EventLoopGroup eventLoop() {
    return Loop.GROUP;
  }

  static ServerChannel serverChannel() {
    return EPOLL ? new EpollServerSocketChannel() : new NioServerSocketChannel();
  }

  static Channel channel() {
    return EPOLL ? new EpollSocketChannel() : new NioSocketChannel();
  }
}
