package org.maskedkd.runtime;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.http2.Http2ConnectionHandler;

/**
 * Lets a connection's HTTP/2 decoder put the pieces that were read side by side. By default it
 * copies them together whenever one ends in the midst of a frame, which nearly every one does when
 * tensors arrive. Sits before the decoder until the first bytes come, when there surely is one.
 */
final class Composing extends ChannelInboundHandlerAdapter {

  private Composing() {}

  static <C extends Channel> ChannelFactory<C> composing(ChannelFactory<C> plain) {
    return () -> {
      C channel = plain.newChannel();
      channel.pipeline().addLast(new Composing());
      return channel;
    };
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object bytes) {
    Http2ConnectionHandler decoder = context.pipeline().get(Http2ConnectionHandler.class);
    if (decoder != null) {
      decoder.setCumulator(ByteToMessageDecoder.COMPOSITE_CUMULATOR);
    }
    context.fireChannelRead(bytes);
    context.pipeline().remove(this);
  }
}
