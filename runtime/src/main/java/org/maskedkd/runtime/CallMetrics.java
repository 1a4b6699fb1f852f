package org.maskedkd.runtime;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientStreamTracer;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerInterceptor;
import io.grpc.ServerStreamTracer;
import io.micrometer.core.instrument.binder.grpc.ObservationGrpcClientInterceptor;
import io.micrometer.core.instrument.binder.grpc.ObservationGrpcServerInterceptor;
import io.micrometer.core.instrument.observation.DefaultMeterObservationHandler;
import io.micrometer.observation.ObservationRegistry;
import java.util.List;
import java.util.Locale;

/**
 * What a process's calls add to its metrics: Micrometer's {@code grpc_server_...} and {@code
 * grpc_client_...}, and bytes as they are on the wire. A stream is one call, which ends with the
 * run; its messages are counted as they come.
 */
final class CallMetrics {
  private final Metrics metrics;
  private final ObservationRegistry observations = ObservationRegistry.create();

  CallMetrics(Metrics metrics) {
    this.metrics = metrics;
    observations
        .observationConfig()
        .observationHandler(new DefaultMeterObservationHandler(metrics.registry()));
  }

  ServerInterceptor ofServer() {
    return new ObservationGrpcServerInterceptor(observations);
  }

  /** Bytes of a server's calls; whoever calls a stage is taken for a coordinator. */
  ServerStreamTracer.Factory serverBytes() {
    return new ServerStreamTracer.Factory() {
      @Override
      public ServerStreamTracer newServerStreamTracer(String method, Metadata headers) {
        return new ServerBytes();
      }
    };
  }

  List<ClientInterceptor> ofClient() {
    return List.of(new ObservationGrpcClientInterceptor(observations), new ClientBytesOf());
  }

  private void sent(String peer, long bytes) {
    metrics.add(Metric.SENT_BYTES, (double) bytes, peer);
  }

  private void received(String peer, long bytes) {
    metrics.add(Metric.RECEIVED_BYTES, (double) bytes, peer);
  }

  private final class ServerBytes extends ServerStreamTracer {
    @Override
    public void outboundWireSize(long bytes) {
      sent(Role.COORDINATOR.text(), bytes);
    }

    @Override
    public void inboundWireSize(long bytes) {
      received(Role.COORDINATOR.text(), bytes);
    }
  }

  private final class ClientBytesOf implements ClientInterceptor {
    @Override
    public <Q, R> ClientCall<Q, R> interceptCall(
        MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
      String service = String.valueOf(method.getServiceName());
      String peer = service.substring(service.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
      return next.newCall(
          method,
          options.withStreamTracerFactory(
              new ClientStreamTracer.Factory() {
                @Override
                public ClientStreamTracer newClientStreamTracer(
                    ClientStreamTracer.StreamInfo info, Metadata headers) {
                  return new ClientBytes(peer);
                }
              }));
    }
  }

  private final class ClientBytes extends ClientStreamTracer {
    private final String peer;

    ClientBytes(String peer) {
      this.peer = peer;
    }

    @Override
    public void outboundWireSize(long bytes) {
      sent(peer, bytes);
    }

    @Override
    public void inboundWireSize(long bytes) {
      received(peer, bytes);
    }
  }
}
