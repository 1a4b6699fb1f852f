package org.maskedkd.runtime;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ServerChannel;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.net.SocketAddress;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says in one line why a client was not let in. Sits before the TLS handler of a connection until
 * the first bytes come, when there surely is one, if there will be; who connects and says nothing,
 * such as a probe of the port, is not mentioned.
 */
final class HandshakeLog extends ChannelInboundHandlerAdapter {
  private static final Logger log = LoggerFactory.getLogger(HandshakeLog.class);

  /** Every TLS connection begins with this byte, and no HTTP/2 one does. */
  private static final byte TLS_HANDSHAKE = 22;

  /** HTTP/2 without TLS begins with this one, and TLS does not. */
  private static final byte PLAIN_HTTP2 = 'P';

  /**
   * The fatal TLS alert unexpected_message, in plaintext. A plaintext client cannot read it, but
   * can tell by its first byte that TLS was spoken.
   */
  private static final byte[] ALERT = {21, 3, 3, 0, 2, 2, 10};

  /** What a client that was refused may take to go. */
  private static final long GOING_SECONDS = 5;

  private boolean refused;

  private HandshakeLog() {}

  private static int first(Object bytes) {
    return bytes instanceof ByteBuf buffer && buffer.isReadable()
        ? buffer.getByte(buffer.readerIndex())
        : -1;
  }

  static ChannelFactory<ServerChannel> logged(ChannelFactory<ServerChannel> plain) {
    return () -> {
      ServerChannel server = plain.newChannel();
      server.pipeline().addLast(new Acceptor());
      return server;
    };
  }

  private static final class Acceptor extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object child) {
      ((Channel) child).pipeline().addLast(new HandshakeLog());
      context.fireChannelRead(child);
    }
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object bytes) {
    if (refused) {
      ReferenceCountUtil.release(bytes);
      return;
    }
    SslHandler handler = context.pipeline().get(SslHandler.class);
    SocketAddress peer = context.channel().remoteAddress();
    if (handler != null && first(bytes) == PLAIN_HTTP2) {
      log.warn("refused {}: it does not use TLS", peer);
      ReferenceCountUtil.release(bytes);
      refused = true;
      // To close while more of it is unread would reset the connection, and the alert with it.
      context
          .writeAndFlush(Unpooled.wrappedBuffer(ALERT))
          .addListener(written -> ((DuplexChannel) context.channel()).shutdownOutput());
      context.executor().schedule(() -> context.close(), GOING_SECONDS, TimeUnit.SECONDS);
      return;
    }
    if (handler != null) {
      handler
          .handshakeFuture()
          .addListener(
              done -> {
                if (!done.isSuccess()) {
                  log.warn("refused {}: {}", peer, TlsFailure.ofClient(done.cause()));
                }
              });
    } else if (first(bytes) == TLS_HANDSHAKE) {
      log.warn("refused {}: it uses TLS, and this process was started without --tls-cert", peer);
    }
    context.fireChannelRead(bytes);
    context.pipeline().remove(this);
  }
}
