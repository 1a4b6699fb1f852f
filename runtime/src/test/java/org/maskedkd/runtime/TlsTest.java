package org.maskedkd.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.maskedkd.runtime.Certificates.valid;

import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.maskedkd.proto.v1.MaskedMicroBatch;
import org.maskedkd.proto.v1.MicroBatchKey;
import org.maskedkd.proto.v1.ModelInfo;
import org.maskedkd.proto.v1.OpenTeacher;
import org.maskedkd.proto.v1.TeacherGrpc;
import org.maskedkd.proto.v1.TeacherOpened;
import org.maskedkd.proto.v1.TeacherSignal;

/** Handshakes over real sockets of loopback. */
class TlsTest {
  private static final Certificates OURS = Certificates.of("ours");
  private static final Certificates THEIRS = Certificates.of("theirs");
  private static final Duration NEVER = Duration.ofDays(1);
  private static final String TOLD = "1".repeat(4 << 20);

  @TempDir private Path folder;
  private final Deque<AutoCloseable> open = new ArrayDeque<>();
  private final LogLines log = new LogLines();

  /** Opens with a long message, and answers every micro-batch with its key. */
  private static final class Echo extends TeacherGrpc.TeacherImplBase {
    @Override
    public void open(OpenTeacher request, StreamObserver<TeacherOpened> out) {
      out.onNext(
          TeacherOpened.newBuilder().setModel(ModelInfo.newBuilder().setModel(TOLD)).build());
      out.onCompleted();
    }

    @Override
    public StreamObserver<MaskedMicroBatch> supervise(StreamObserver<TeacherSignal> out) {
      return new StreamObserver<>() {
        @Override
        public void onNext(MaskedMicroBatch batch) {
          out.onNext(TeacherSignal.newBuilder().setKey(batch.getKey()).build());
        }

        @Override
        public void onError(Throwable gone) {}

        @Override
        public void onCompleted() {
          out.onCompleted();
        }
      };
    }
  }

  private <T extends AutoCloseable> T closed(T resource) {
    open.push(resource);
    return resource;
  }

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable resource : open) {
      resource.close();
    }
    // A server may still have to say of a connection that its client closed it; the next test would
    // read that.
    for (int turn = 0; turn < 2; turn++) {
      Transport.eventLoop().submit(() -> {}).sync();
    }
    log.close();
  }

  private Tls tls(String name, Certificates house) {
    Tls tls = closed(Tls.open(house.write(folder.resolve(name), house.issue(name)), NEVER));
    assertThat(log.next()).contains("CN=" + name);
    return tls;
  }

  private String serve(@Nullable Tls tls) {
    return closed(StageServer.listen("127.0.0.1:0").tls(tls).service(new Echo()).start()).address();
  }

  private ManagedChannel channel(ManagedChannel channel) {
    closed(() -> channel.shutdownNow().awaitTermination(1, TimeUnit.MINUTES));
    return channel;
  }

  private static TeacherOpened call(ManagedChannel channel) {
    return TeacherGrpc.newBlockingStub(channel)
        .withDeadlineAfter(1, TimeUnit.MINUTES)
        .open(OpenTeacher.getDefaultInstance());
  }

  private void answers(String address, @Nullable Tls tls) {
    assertThat(call(channel(Channels.connect(address, tls))).getModel().getModel()).isEqualTo(TOLD);
  }

  /** What the user of a process is told whose first call failed. */
  private RunException refused(ManagedChannel channel) {
    channel(channel);
    RunException failure =
        Failures.fromStatus(catchThrowable(() -> call(channel)), "the teacher at here");
    assertThat(failure.getMessage()).doesNotContain("\n");
    return failure;
  }

  private RunException refusedAsIncompatible(ManagedChannel channel) {
    RunException failure = refused(channel);
    assertThat(failure.exitCode()).as(failure.getMessage()).isEqualTo(ExitCode.INCOMPATIBLE);
    return failure;
  }

  /** A client that is not ours, with any certificate or none. */
  private static ManagedChannel foreign(String address, @Nullable X509Bundle own) throws Exception {
    SslContextBuilder context =
        GrpcSslContexts.forClient().trustManager(OURS.authority().getCertificate());
    if (own != null) {
      context.keyManager(own.getKeyPair().getPrivate(), own.getCertificatePath());
    }
    return NettyChannelBuilder.forTarget(address).sslContext(context.build()).build();
  }

  private static X509Bundle expired() {
    return OURS.issue(
        valid(Duration.ofMinutes(-1)).subject("CN=late").addSanIpAddress("127.0.0.1"));
  }

  @Test
  void call_bothOfOneAuthority_isAnswered() {
    String address = serve(tls("stage", OURS));
    answers(address, tls("coordinator", OURS));
    log.assertNone();
  }

  @Test
  void call_clientOfAnotherAuthority_refusedByTheServer() throws Exception {
    String address = serve(tls("stage", OURS));
    TlsFiles files = THEIRS.write(folder.resolve("stranger"), THEIRS.issue("stranger"));
    Files.writeString(files.authority(), OURS.authority().getCertificatePEM());
    Tls stranger = closed(Tls.open(files, NEVER));
    log.await("CN=stranger");
    assertThat(refusedAsIncompatible(Channels.connect(address, stranger)))
        .hasMessageContainingAll(
            "the teacher at here refused this process", "does not trust", "tls.certificate");
    assertThat(log.next())
        .startsWith("refused /127.0.0.1:")
        .contains("not issued by an authority that this process was given");
  }

  @Test
  void call_clientWithoutCertificate_refusedByTheServer() throws Exception {
    String address = serve(tls("stage", OURS));
    assertThat(refusedAsIncompatible(foreign(address, null)))
        .hasMessageContainingAll("the teacher at here refused this process", "got none");
    assertThat(log.next()).contains("it showed no certificate");
  }

  @Test
  void call_clientWithExpiredCertificate_refusedByTheServer() throws Exception {
    String address = serve(tls("stage", OURS));
    assertThat(refusedAsIncompatible(foreign(address, expired())))
        .hasMessageContaining("the teacher at here refused this process");
    assertThat(log.next()).contains("its certificate has expired");
  }

  @Test
  void call_plaintextClientOfTlsServer_isToldOfTls() {
    String address = serve(tls("stage", OURS));
    assertThat(refusedAsIncompatible(Channels.connect(address)))
        .hasMessageContainingAll("the teacher at here uses TLS", "tls.certificate");
    assertThat(log.next()).startsWith("refused /127.0.0.1:").contains("it does not use TLS");
  }

  @Test
  void call_tlsClientOfPlaintextServer_isToldOfPlaintext() {
    String address = serve(null);
    assertThat(refusedAsIncompatible(Channels.connect(address, tls("coordinator", OURS))))
        .hasMessageContainingAll("the teacher at here does not use TLS", "--tls-cert");
    assertThat(log.next())
        .startsWith("refused /127.0.0.1:")
        .contains("it uses TLS, and this process was started without --tls-cert");
  }

  @Test
  void call_serverOfAnotherAuthority_refusedByTheClient() {
    String address = serve(tls("stage", OURS));
    assertThat(refusedAsIncompatible(Channels.connect(address, tls("stranger", THEIRS))))
        .hasMessageContainingAll(
            "this process does not trust the teacher at here", "not issued by", "tls.authority");
    assertThat(log.next()).startsWith("refused /127.0.0.1:");
  }

  @Test
  void call_serverForAnotherHost_refusedByTheClientNamingBoth() {
    String address = serve(tls("stage", OURS));
    String other = address.replace("127.0.0.1", "localhost");
    assertThat(refusedAsIncompatible(Channels.connect(other, tls("coordinator", OURS))))
        .hasMessageContainingAll("does not trust the teacher at here", "another host", "localhost");
  }

  /** An address that was found under a name. */
  private ManagedChannel found(String address, String name, Tls tls) {
    int port = HostPort.parse(address).port();
    return Channels.connect(
        address,
        StageName.parse("dns:" + name + ":" + port).authority(),
        tls,
        Transport.eventLoop(),
        List.of());
  }

  @Test
  void call_addressOfAName_theCertificateMustBeForTheName() {
    X509Bundle own =
        OURS.issue(valid(Duration.ofHours(1)).subject("CN=named").addSanDnsName("teachers"));
    Tls named = closed(Tls.open(OURS.write(folder.resolve("named"), own), NEVER));
    assertThat(log.next()).contains("CN=named");
    String address = serve(named);
    Tls coordinator = tls("coordinator", OURS);

    assertThat(call(channel(found(address, "teachers", coordinator))).getModel().getModel())
        .isEqualTo(TOLD);
    assertThat(refusedAsIncompatible(found(address, "students", coordinator)))
        .hasMessageContainingAll("another host", "students");
    // The address itself is not in the certificate.
    assertThat(refusedAsIncompatible(Channels.connect(address, coordinator)))
        .hasMessageContaining("another host");
  }

  @Test
  void call_serverWithExpiredCertificate_refusedByTheClient() throws Exception {
    X509Bundle late = expired();
    SslContext context =
        GrpcSslContexts.configure(
                SslContextBuilder.forServer(
                    late.getKeyPair().getPrivate(), late.getCertificatePath()))
            .build();
    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
            .sslContext(context)
            .build()
            .start();
    closed(server::shutdownNow);
    assertThat(
            refusedAsIncompatible(
                Channels.connect("127.0.0.1:" + server.getPort(), tls("coordinator", OURS))))
        .hasMessageContainingAll(
            "does not trust the teacher at here", "its certificate has expired");
  }

  @Test
  void call_nobodyListens_isAwayAlsoWithTls() {
    String address;
    try (StageServer gone = StageServer.listen("127.0.0.1:0").start()) {
      address = gone.address();
    }
    assertThat(refused(Channels.connect(address, tls("coordinator", OURS))).exitCode())
        .isEqualTo(ExitCode.PEER_AWAY);
  }

  @Test
  void start_addressOthersReachWithTls_listens() {
    assertThat(closed(StageServer.listen("0.0.0.0:0").tls(tls("stage", OURS)).start()).address())
        .startsWith("127.0.0.1:");
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void call_socketFile_usesNoTls() {
    String address = "unix:" + folder.resolve("s.sock");
    closed(StageServer.listen(address).tls(tls("stage", OURS)).service(new Echo()).start());
    answers(address, tls("stranger", THEIRS));
    answers(address, null);
  }

  @Test
  void look_otherFilesBehindTheLinks_newConnectionsUseThemAndOpenStreamsGoOn() throws Exception {
    // As Kubernetes mounts a secret: links to links, of which one is replaced.
    TlsFiles first = OURS.write(folder.resolve("..1"), OURS.issue("first"));
    Path data = Files.createSymbolicLink(folder.resolve("..data"), Path.of("..1"));
    TlsFiles links =
        new TlsFiles(
            link(data, first.certificate()),
            link(data, first.key()),
            link(data, first.authority()));
    String address = serve(closed(Tls.open(links, Duration.ofMillis(5))));
    log.await("CN=first");
    Tls ours = tls("coordinator", OURS);
    BlockingQueue<Object> answers = new LinkedBlockingQueue<>();
    StreamObserver<MaskedMicroBatch> stream =
        TeacherGrpc.newStub(channel(Channels.connect(address, ours))).supervise(into(answers));
    stream.onNext(microBatch(1));
    assertThat(answers.poll(1, TimeUnit.MINUTES)).isEqualTo(1);

    THEIRS.write(folder.resolve("..2"), THEIRS.issue("second"));
    Path next = Files.createSymbolicLink(folder.resolve("..next"), Path.of("..2"));
    Files.move(next, data, StandardCopyOption.ATOMIC_MOVE);
    log.await("CN=second");

    answers(address, tls("newcomer", THEIRS));
    assertThat(refusedAsIncompatible(Channels.connect(address, ours)))
        .hasMessageContaining("not issued by an authority");
    stream.onNext(microBatch(2));
    assertThat(answers.poll(1, TimeUnit.MINUTES)).isEqualTo(2);
  }

  private Path link(Path data, Path file) throws IOException {
    Path name = file.getFileName();
    return Files.createSymbolicLink(folder.resolve(name), data.getFileName().resolve(name));
  }

  private static MaskedMicroBatch microBatch(int index) {
    return MaskedMicroBatch.newBuilder().setKey(MicroBatchKey.newBuilder().setIndex(index)).build();
  }

  private static StreamObserver<TeacherSignal> into(BlockingQueue<Object> answers) {
    return new StreamObserver<>() {
      @Override
      public void onNext(TeacherSignal signal) {
        answers.add(signal.getKey().getIndex());
      }

      @Override
      public void onError(Throwable t) {
        answers.add(t);
      }

      @Override
      public void onCompleted() {
        answers.add("end");
      }
    };
  }

  @Test
  void look_onlyTheCertificateIsNew_isUsed() throws Exception {
    X509Bundle before = OURS.issue("before");
    TlsFiles files = OURS.write(folder.resolve("stage"), before);
    Tls stage = closed(Tls.open(files, NEVER));
    X509Bundle renewed =
        OURS.issue(
            valid(Duration.ofHours(2))
                .subject("CN=renewed")
                .addSanIpAddress("127.0.0.1")
                .keyPair(before.getKeyPair()));
    Files.writeString(files.certificate(), renewed.getCertificatePathPEM());
    stage.look();
    log.await("CN=renewed");
    answers(serve(stage), tls("coordinator", OURS));
  }

  @Test
  void look_halfWrittenFiles_reportedOnceAndTheOldOnesStayInUse() throws Exception {
    TlsFiles files = OURS.write(folder.resolve("stage"), OURS.issue("stage"));
    Tls stage = closed(Tls.open(files, NEVER));
    log.await("CN=stage");
    String address = serve(stage);
    Tls coordinator = tls("coordinator", OURS);
    X509Bundle next = OURS.issue("next");

    String certificate = next.getCertificatePathPEM();
    Files.writeString(files.certificate(), certificate.substring(0, certificate.length() / 2));
    stage.look();
    stage.look();
    assertThat(log.next()).contains(files.certificate().toString(), "stay in use");
    Files.writeString(files.certificate(), certificate);
    stage.look();
    stage.look();
    assertThat(log.next())
        .contains("the private key " + files.key() + " (EC) does not fit", "stay in use");
    Files.writeString(files.key(), "");
    stage.look();
    assertThat(log.next()).contains(files.key() + " holds no private key");
    Files.delete(files.authority());
    stage.look();
    stage.look();
    assertThat(log.next()).contains(files.authority() + ": there is no such file");
    log.assertNone();
    answers(address, coordinator);

    OURS.write(folder.resolve("stage"), next);
    stage.look();
    assertThat(log.next()).contains("CN=next");
    answers(address, coordinator);
  }

  @Test
  void handshake_afterTheFilesChanged_showsTheNewCertificateToTheSameClient() throws Exception {
    TlsFiles files = OURS.write(folder.resolve("stage"), OURS.issue("stage"));
    Tls stage = closed(Tls.open(files, NEVER));
    log.await("CN=stage");
    String address = serve(stage);
    Tls coordinator = tls("coordinator", OURS);
    answers(address, coordinator);
    THEIRS.write(folder.resolve("stage"), THEIRS.issue("stage"));
    stage.look();
    // This client has a session from before, which must not spare it the new certificate.
    assertThat(refusedAsIncompatible(Channels.connect(address, coordinator)))
        .hasMessageContaining("does not trust");
  }

  @Test
  void certificateChain_withIntermediate_isShown() throws Exception {
    Certificates intermediate =
        new Certificates(
            OURS.issue(
                valid(Duration.ofHours(2)).subject("CN=middle").setIsCertificateAuthority(true)));
    TlsFiles files = OURS.write(folder.resolve("stage"), intermediate.issue("stage"));
    Tls stage = closed(Tls.open(files, NEVER));
    log.await("CN=stage");
    answers(serve(stage), tls("coordinator", OURS));
  }
}
