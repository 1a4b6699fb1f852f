package org.maskedkd.runtime;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How many connections a server holds at once, and how long one may stay silent at first. */
final class Admission {
  private static final Logger log = LoggerFactory.getLogger(Admission.class);

  /** Each may take the flow-control window of {@link Transport} for a while. */
  static final int MOST_CONNECTIONS = 64;

  static final int SILENT_SECONDS = 20;

  private final AtomicInteger open = new AtomicInteger();
  private boolean full;

  /** Whether the connection, which is not registered yet, may stay; else it is closed. */
  boolean admit(Channel accepted) {
    if (open.incrementAndGet() > MOST_CONNECTIONS) {
      open.decrementAndGet();
      accepted.unsafe().closeForcibly();
      if (!full) {
        full = true;
        log.warn("{} connections are open; others are refused until one ends", MOST_CONNECTIONS);
      }
      return false;
    }
    full = false;
    accepted.closeFuture().addListener(closed -> open.decrementAndGet());
    accepted.pipeline().addLast(new FirstBytes());
    return true;
  }

  private static final class FirstBytes extends ChannelInboundHandlerAdapter {
    @Override
    public void channelActive(ChannelHandlerContext context) {
      context
          .executor()
          .schedule(
              () -> {
                if (!context.isRemoved()) {
                  context.close();
                }
              },
              SILENT_SECONDS,
              TimeUnit.SECONDS);
      context.fireChannelActive();
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object bytes) {
      context.fireChannelRead(bytes);
      context.pipeline().remove(this);
    }
  }
}
