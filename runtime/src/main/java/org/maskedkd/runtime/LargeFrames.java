package org.maskedkd.runtime;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ServerChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.handler.codec.http2.Http2Settings;

/**
 * Suits a connection to messages of a mebibyte. By default its peer cuts them into HTTP/2 frames of
 * 16 KiB, each with work of its own on both sides; and its decoder copies pieces that were read
 * together whenever one ends in the midst of a frame, which nearly every one does then. Here the
 * peer is told that frames may be as large as messages, and the pieces are put side by side.
 *
 * <p>Sits before the decoder until bytes come and there is one: with the first ones, or under TLS
 * after those of the handshake.
 */
final class LargeFrames extends ChannelInboundHandlerAdapter {
  private static final int MAX_FRAME_BYTES = 1 << 20;

  private LargeFrames() {}

  /** Channels of a client. */
  static <C extends Channel> ChannelFactory<C> connecting(ChannelFactory<C> plain) {
    return () -> {
      C channel = plain.newChannel();
      channel.pipeline().addLast(new LargeFrames());
      return channel;
    };
  }

  /** Channels of a server, for all that it accepts. */
  static <C extends ServerChannel> ChannelFactory<C> accepting(ChannelFactory<C> plain) {
    return () -> {
      C channel = plain.newChannel();
      channel.pipeline().addLast(new Accepting());
      return channel;
    };
  }

  private static final class Accepting extends ChannelInboundHandlerAdapter {
    private final Admission admission = new Admission();

    @Override
    public void channelRead(ChannelHandlerContext context, Object accepted) {
      if (admission.admit((Channel) accepted)) {
        ((Channel) accepted).pipeline().addLast(new LargeFrames());
        context.fireChannelRead(accepted);
      }
    }
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object bytes) {
    ChannelHandlerContext http2 = context.pipeline().context(Http2ConnectionHandler.class);
    if (http2 != null) {
      Http2ConnectionHandler handler = (Http2ConnectionHandler) http2.handler();
      handler.setCumulator(ByteToMessageDecoder.COMPOSITE_CUMULATOR);
      handler
          .encoder()
          .writeSettings(
              http2, new Http2Settings().maxFrameSize(MAX_FRAME_BYTES), http2.newPromise());
      http2.flush();
      context.pipeline().remove(this);
    }
    context.fireChannelRead(bytes);
  }
}
