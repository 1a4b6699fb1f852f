{{/* A teacher pod, of a Job or of a Deployment. */}}
{{- define "maskedkd.teacherTemplate" -}}
{{- $serve := eq .Values.teacher.mode "serve" -}}
{{- $teacher := include "maskedkd.teacher" . | fromYaml -}}
{{- $tls := ne .Values.tls.mode "disabled" -}}
metadata:
  labels: {{- include "maskedkd.podLabels" (dict "root" . "component" "teacher" "labels" .Values.teacher.podLabels "revision" (not $serve)) | nindent 4 }}
  {{- with .Values.teacher.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- if not $serve }}
  restartPolicy: Never
  subdomain: {{ include "maskedkd.fullname" . }}-teacher
  {{- end }}
  terminationGracePeriodSeconds: {{ int64 .Values.teacher.terminationGracePeriodSeconds }}
  {{- include "maskedkd.pod" (dict "root" . "pod" .Values.teacher "component" "teacher" "other" "trainer" "gpu" (gt (int .Values.teacher.gpu.count) 0)) | nindent 2 }}
  {{- with .Values.teacher.initContainers }}
  initContainers: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: teacher
      image: {{ include "maskedkd.image" (dict "root" . "role" .Values.teacher) }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      workingDir: /data
      args:
        - teacher-stage
        - --listen=:9091
        - --management=:9401
        - --log-format={{ .Values.logFormat }}
        - {{ printf "--model=%s" $teacher.model | quote }}
        - {{ printf "--weights=%s" $teacher.weights | quote }}
        {{- with $teacher.precision }}
        - --precision={{ . }}
        {{- end }}
        {{- with $teacher.threads }}
        - --threads={{ . }}
        {{- end }}
        {{- with $teacher.mean }}
        - --mean={{ join "," . }}
        {{- end }}
        {{- with $teacher.std }}
        - --std={{ join "," . }}
        {{- end }}
        - --drain-seconds={{ sub (int .Values.teacher.terminationGracePeriodSeconds) 20 }}
        {{- if $serve }}
        - --max-runs={{ int64 .Values.teacher.serve.maxRuns }}
        {{- else }}
        - --idle-seconds={{ int64 .Values.teacher.idleSeconds }}
        {{- end }}
        {{- if $tls }}
        {{- include "maskedkd.tlsArguments" . | nindent 8 }}
        {{- else }}
        - --insecure
        {{- end }}
      env: {{- include "maskedkd.env" (dict "role" .Values.teacher "tensors" true) | nindent 8 }}
      {{- with .Values.teacher.extraEnvFrom }}
      envFrom: {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - {name: grpc, containerPort: 9091}
        - {name: teacher-mgmt, containerPort: 9401}
      {{- include "maskedkd.probes" (dict "root" . "port" "teacher-mgmt") | nindent 6 }}
      resources: {{- include "maskedkd.resources" .Values.teacher | nindent 8 }}
      securityContext: {{- include "maskedkd.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - {name: data, mountPath: /data, readOnly: true}
        - {name: teacher-tmp, mountPath: /tmp}
        {{- if $tls }}
        - {name: tls, mountPath: /etc/maskedkd/tls, readOnly: true}
        {{- end }}
        {{- with .Values.teacher.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "maskedkd.dataVolume" . | nindent 4 }}
    {{- include "maskedkd.tmpVolume" (dict "root" . "name" "teacher-tmp") | nindent 4 }}
    {{- if $tls }}
    - name: tls
      secret:
        secretName: {{ include "maskedkd.tlsSecret" (dict "root" . "component" "teacher") }}
        defaultMode: 0440
    {{- end }}
    {{- with .Values.teacher.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* The Job of a run's teachers. */}}
{{- define "maskedkd.teacherJob" -}}
completionMode: Indexed
completions: {{ .Values.teacher.replicas }}
parallelism: {{ .Values.teacher.replicas }}
backoffLimitPerIndex: {{ .Values.teacher.backoffLimitPerIndex }}
{{- include "maskedkd.jobTimes" . }}
podReplacementPolicy: Failed
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions: [{type: DisruptionTarget, status: "True"}]
    # Wrong options, weights or certificates: they would be wrong for every index and start.
    - action: FailJob
      onExitCodes: {containerName: teacher, operator: In, values: [64, 65, 78]}
    # No run came for teacher.idleSeconds: the device is given back.
    - action: FailIndex
      onExitCodes: {containerName: teacher, operator: In, values: [69]}
template: {{- include "maskedkd.teacherTemplate" . | nindent 2 }}
{{- end -}}
