# The images: `coordinator`, without a tensor library, and `stage`, which has every command. See docs/deploy.md.
# They are made of the jars that `./mvnw package` leaves in cli/target, so that a build needs neither Maven nor a
# network, and an image has the very jars that were tested.

ARG JDK_IMAGE=eclipse-temurin:17-jdk
ARG JRE_IMAGE=eclipse-temurin:17-jre
# With FLAVOR=cu128, an image with torch of TORCH_VERSION for CUDA 12.8. With FLAVOR=cpu, any with glibc and libstdc++.
ARG STAGE_IMAGE=pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime

FROM ${JDK_IMAGE} AS jars
COPY cli/target/lib /build/lib
COPY cli/target/coordinator.classpath /build/
COPY cli/src/main/launch /build/bin
WORKDIR /build
# Libraries that would be unpacked at every start, into a /tmp that may forbid to run what is in it.
RUN set -eu; \
    mkdir unpacked native torch runs; \
    cd unpacked; \
    jar xf ../lib/netty-transport-native-epoll-*-linux-x86_64.jar META-INF/native; \
    jar xf ../lib/jna-*.jar com/sun/jna/linux-x86-64; \
    mv META-INF/native/libnetty_transport_native_epoll_x86_64.so com/sun/jna/linux-x86-64/libjnidispatch.so ../native/

FROM jars AS coordinator-files
# The user of the image can read all of it, whatever the umask was where it was made.
RUN set -eu; \
    mkdir -p maskedkd/lib maskedkd/native; \
    cp -pr bin coordinator.classpath maskedkd/; \
    cp -p lib/cli.jar $(sed 's#@LIB@#lib#g; s#:# #g' coordinator.classpath) maskedkd/lib/; \
    cp -p native/libnetty_* maskedkd/native/; \
    chmod -R a+rX maskedkd

FROM ${JRE_IMAGE} AS jre

FROM jre AS coordinator
ARG VERSION=0.1.0-SNAPSHOT
ARG REVISION=unknown
LABEL org.opencontainers.image.title="maskedkd coordinator" \
      org.opencontainers.image.description="Leads a run of pipelined masked knowledge distillation; has no tensor library" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=coordinator-files /build/maskedkd /opt/maskedkd
COPY --from=jars --chown=10001:10001 /build/runs /runs
# A share of the container's memory, in percent.
ENV MASKEDKD_HEAP_PERCENT=50
WORKDIR /runs
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/maskedkd/bin/launch", "/opt/java/openjdk/bin/java", "/opt/maskedkd/lib"]

FROM jars AS stage-files
ARG TORCH_VERSION=2.7.1
ARG FLAVOR=cu128
RUN set -eu; \
    cd unpacked; \
    jar xf ../lib/pytorch-jni-${TORCH_VERSION}-*.jar jnilib/linux-x86_64/${FLAVOR}; \
    if [ ! -e jnilib/linux-x86_64/${FLAVOR}/libdjl_torch.so ]; then \
      echo "pytorch-jni for ${TORCH_VERSION} in cli/target/lib has no library for FLAVOR=${FLAVOR}: expected cpu or cu128" >&2; exit 1; \
    fi; \
    mv jnilib/linux-x86_64/${FLAVOR}/libdjl_torch.so ../torch/; \
    if [ ${FLAVOR} = cpu ]; then \
      jar xf ../lib/pytorch-native-cpu-${TORCH_VERSION}-linux-x86_64.jar pytorch/cpu/linux-x86_64; \
      mv pytorch/cpu/linux-x86_64/*.so* ../torch/; \
    fi; \
    cd ..; \
    mkdir maskedkd; \
    rm lib/pytorch-native-*.jar lib/pytorch-jni-*.jar; \
    mv bin lib native coordinator.classpath maskedkd/; \
    chmod -R a+rX maskedkd torch

FROM ${STAGE_IMAGE} AS stage
ARG TORCH_VERSION=2.7.1
ARG FLAVOR=cu128
COPY --from=jre /opt/java/openjdk /opt/java/openjdk
COPY --from=stage-files /build/torch /opt/maskedkd/torch/lib
# libtorch for CUDA is that of the base. Another version of it would not fit the JNI library, and end the process. It
# finds cuBLAS, cuDNN and others by paths from where it lies, such as ../../nvidia: they must be right from the links
# too, which not everything that loads a library resolves first, as Java does.
RUN set -eu; \
    cd /opt/maskedkd/torch/lib; \
    if [ ${FLAVOR} != cpu ]; then \
      torch=$(find / -xdev -path '*/torch/lib/libtorch_cuda.so' | head -n 1); \
      torch=${torch%/lib/*}; \
      if ! grep -q "^__version__ = '${TORCH_VERSION}" "$torch/version.py"; then \
        echo "STAGE_IMAGE has no torch ${TORCH_VERSION} for CUDA (found: ${torch:-none}), which FLAVOR=${FLAVOR} needs" >&2; exit 1; \
      fi; \
      ln -s "$torch"/lib/*.so* .; \
      for beside in nvidia cusparselt; do \
        if [ -d "${torch%/*}/$beside" ]; then ln -s "${torch%/*}/$beside" ../../; fi; \
      done; \
    fi; \
    ls libtorch.so libtorch_cpu.so libdjl_torch.so >/dev/null
COPY --from=stage-files /build/maskedkd /opt/maskedkd
COPY --from=jars --chown=10001:10001 /build/runs /runs
ARG VERSION=0.1.0-SNAPSHOT
ARG REVISION=unknown
LABEL org.opencontainers.image.title="maskedkd stage" \
      org.opencontainers.image.description="Student and teachers of pipelined masked knowledge distillation; has every command" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Where DJL looks for libtorch and, beside it, for its JNI library, before it unpacks or downloads anything. It loads
# every library of this folder, so others may not be in it.
ENV PYTORCH_LIBRARY_PATH=/opt/maskedkd/torch/lib \
    PYTORCH_VERSION=${TORCH_VERSION} \
    PYTORCH_FLAVOR=${FLAVOR} \
    MASKEDKD_HEAP_PERCENT=25
WORKDIR /runs
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/maskedkd/bin/launch", "/opt/java/openjdk/bin/java", "/opt/maskedkd/lib"]
