{{/* The Job that is the run: the coordinator, whose exit code is the Job's, and the student beside it. */}}
{{- define "maskedkd.trainerJob" -}}
{{- $name := include "maskedkd.fullname" . -}}
{{- $config := include "maskedkd.config" . | fromYaml -}}
{{- $teachers := include "maskedkd.teacherAddresses" . | fromJsonArray -}}
{{- $tls := and (ne .Values.tls.mode "disabled") $teachers -}}
completions: 1
parallelism: 1
backoffLimit: {{ eq .Values.workload.kind "JobSet" | ternary 0 .Values.trainer.backoffLimit }}
{{- include "maskedkd.jobTimes" . }}
# A second trainer begins only when the first has ended.
podReplacementPolicy: Failed
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions: [{type: DisruptionTarget, status: "True"}]
    # Wrong configuration, data or peers, and a full volume: another start would only repeat it.
    - action: FailJob
      onExitCodes: {containerName: coordinator, operator: In, values: [64, 65, 73, 78]}
template:
  metadata:
    labels: {{- include "maskedkd.podLabels" (dict "root" . "component" "trainer" "labels" .Values.trainer.podLabels "revision" true) | nindent 6 }}
    annotations:
      kubectl.kubernetes.io/default-container: coordinator
      {{- with .Values.trainer.podAnnotations }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
  spec:
    restartPolicy: Never
    terminationGracePeriodSeconds: {{ int64 .Values.trainer.terminationGracePeriodSeconds }}
    {{- include "maskedkd.pod" (dict "root" . "pod" .Values.trainer "component" "trainer" "other" "teacher" "gpu" (gt (int .Values.student.gpu.count) 0)) | nindent 4 }}
    initContainers:
      {{- with .Values.trainer.initContainers }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
      - name: student
        # Makes it a sidecar: ready before the coordinator begins, told to end when that has.
        restartPolicy: Always
        image: {{ include "maskedkd.image" (dict "root" . "role" .Values.student) }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        workingDir: /data
        args:
          - student-stage
          - --listen=unix:/run/maskedkd/student.sock
          - --management=:9400
          - --log-format={{ .Values.logFormat }}
          - --data-root=/data
          - --run-root=/runs
          - --threads={{ .Values.student.threads }}
          - --grace-seconds=40
        env: {{- include "maskedkd.env" (dict "role" .Values.student "tensors" true) | nindent 10 }}
        {{- with .Values.student.extraEnvFrom }}
        envFrom: {{- toYaml . | nindent 10 }}
        {{- end }}
        ports:
          - {name: student-mgmt, containerPort: 9400}
        {{- include "maskedkd.probes" (dict "root" . "port" "student-mgmt") | nindent 8 }}
        resources: {{- include "maskedkd.resources" .Values.student | nindent 10 }}
        securityContext: {{- include "maskedkd.containerSecurity" . | nindent 10 }}
        volumeMounts:
          - {name: runs, mountPath: /runs}
          - {name: data, mountPath: /data, readOnly: true}
          - {name: socket, mountPath: /run/maskedkd}
          - {name: student-tmp, mountPath: /tmp}
          {{- with .Values.student.extraVolumeMounts }}
          {{- toYaml . | nindent 10 }}
          {{- end }}
    containers:
      - name: coordinator
        image: {{ include "maskedkd.image" (dict "root" . "role" .Values.coordinator) }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        workingDir: /data
        args:
          - coordinator
          - --config=/etc/maskedkd/run/run.yaml
          - --go-on
          - {{ include "maskedkd.runName" . | printf "--name=%s" | quote }}
          - --runs-dir=/runs
          - --student=unix:/run/maskedkd/student.sock
          {{- range $teachers }}
          - {{ printf "--teacher=%s" . | quote }}
          {{- end }}
          {{- if eq .Values.teacher.mode "run" }}
          - --end-teachers
          {{- end }}
          - --management=:9402
          {{- if or .Values.metrics.podMonitor.enabled .Values.metrics.serviceMonitor.enabled }}
          - --linger-seconds={{ .Values.metrics.lingerSeconds }}
          {{- end }}
          - --log-format={{ .Values.logFormat }}
          - --grace-seconds={{ sub (int .Values.trainer.terminationGracePeriodSeconds) 60 }}
          {{- if $tls }}
          {{- include "maskedkd.tlsArguments" . | nindent 10 }}
          {{- end }}
          {{- if and $teachers (not (hasKey ($config.teacher | default dict) "retry-seconds")) }}
          - teacher.retry-seconds={{ int64 .Values.teacher.waitSeconds }}
          {{- end }}
        env: {{- include "maskedkd.env" (dict "role" .Values.coordinator) | nindent 10 }}
        {{- with .Values.coordinator.extraEnvFrom }}
        envFrom: {{- toYaml . | nindent 10 }}
        {{- end }}
        ports:
          - {name: coord-mgmt, containerPort: 9402}
        {{- include "maskedkd.probes" (dict "root" . "port" "coord-mgmt") | nindent 8 }}
        resources: {{- toYaml .Values.coordinator.resources | nindent 10 }}
        securityContext: {{- include "maskedkd.containerSecurity" . | nindent 10 }}
        volumeMounts:
          - {name: config, mountPath: /etc/maskedkd/run, readOnly: true}
          - {name: runs, mountPath: /runs}
          - {name: data, mountPath: /data, readOnly: true}
          - {name: socket, mountPath: /run/maskedkd}
          - {name: coordinator-tmp, mountPath: /tmp}
          {{- if $tls }}
          - {name: tls, mountPath: /etc/maskedkd/tls, readOnly: true}
          {{- end }}
          {{- with .Values.coordinator.extraVolumeMounts }}
          {{- toYaml . | nindent 10 }}
          {{- end }}
    volumes:
      - name: config
        configMap:
          name: {{ $name }}-run-{{ include "maskedkd.revision" . }}
      - name: runs
        {{- if .Values.persistence.runs.enabled }}
        persistentVolumeClaim:
          claimName: {{ .Values.persistence.runs.existingClaim | default (printf "%s-runs" $name) }}
        {{- else }}
        emptyDir: {}
        {{- end }}
      {{- include "maskedkd.dataVolume" . | nindent 6 }}
      - name: socket
        emptyDir: {medium: Memory, sizeLimit: 1Mi}
      {{- include "maskedkd.tmpVolume" (dict "root" . "name" "student-tmp") | nindent 6 }}
      {{- include "maskedkd.tmpVolume" (dict "root" . "name" "coordinator-tmp") | nindent 6 }}
      {{- if $tls }}
      - name: tls
        secret:
          secretName: {{ include "maskedkd.tlsSecret" (dict "root" . "component" "coordinator") }}
          defaultMode: 0440
      {{- end }}
      {{- with .Values.trainer.extraVolumes }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
{{- end -}}

{{/* Of a Job; those of a JobSet are its own. */}}
{{- define "maskedkd.jobTimes" -}}
{{- with .Values.workload.activeDeadlineSeconds }}
activeDeadlineSeconds: {{ int64 . }}
{{- end }}
{{- if eq .Values.workload.kind "Job" }}
suspend: {{ .Values.workload.suspend }}
{{- with .Values.workload.ttlSecondsAfterFinished }}
ttlSecondsAfterFinished: {{ int64 . }}
{{- end }}
{{- end }}
{{- end -}}
