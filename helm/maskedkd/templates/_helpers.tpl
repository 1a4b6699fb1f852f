{{- define "maskedkd.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough that a Job of a role and revision has a name that its pods can bear. */}}
{{- define "maskedkd.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "maskedkd.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "maskedkd.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What an upgrade replaces bears the revision: the pods of a Job cannot be changed. */}}
{{- define "maskedkd.revision" -}}
r{{ .Release.Revision }}
{{- end -}}

{{- define "maskedkd.selector" -}}
app.kubernetes.io/name: {{ include "maskedkd.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "maskedkd.labels" -}}
{{- include "maskedkd.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of pods, without those that change with every release of the chart. */}}
{{- define "maskedkd.podLabels" -}}
{{- $own := include "maskedkd.selector" . | fromYaml -}}
{{- if .revision -}}
{{- $_ := set $own "maskedkd.org/revision" (.root.Release.Revision | toString) -}}
{{- end -}}
{{- toYaml (merge $own .labels .root.Values.commonLabels) -}}
{{- end -}}

{{/* The run's configuration as a map, whichever way it came. */}}
{{- define "maskedkd.config" -}}
{{- if and .Values.run.configFile .Values.run.config -}}
{{- fail "run.config and run.configFile are both given: expected one of them" -}}
{{- end -}}
{{- $config := .Values.run.config -}}
{{- if .Values.run.configFile -}}
{{- $config = fromYaml .Values.run.configFile -}}
{{- with $config.Error -}}{{- fail (printf "run.configFile is no YAML: %s" .) -}}{{- end -}}
{{- end -}}
{{- if not $config -}}
{{- fail "the run has no configuration: give run.config or --set-file run.configFile=FILE, or set trainer.enabled=false for a release that only serves teachers" -}}
{{- end -}}
{{- if hasKey $config "runs-dir" -}}{{- fail "runs-dir of the run's configuration is the chart's: leave it out" -}}{{- end -}}
{{- if hasKey $config "tls" -}}{{- fail "tls of the run's configuration is the chart's: use tls.mode of the values" -}}{{- end -}}
{{- if hasKey ($config.student | default dict) "address" -}}{{- fail "student.address of the run's configuration is the chart's: leave it out" -}}{{- end -}}
{{- if hasKey ($config.teacher | default dict) "addresses" -}}{{- fail "teacher.addresses of the run's configuration is the chart's: use teacher.mode external and teacher.addresses of the values" -}}{{- end -}}
{{- $kind := ($config.distillation | default dict).kind | default "soft" -}}
{{- if and (eq $kind "none") (ne .Values.teacher.mode "none") -}}
{{- fail (printf "distillation.kind of the run's configuration is none, but teacher.mode is %s: set teacher.mode=none" .Values.teacher.mode) -}}
{{- end -}}
{{- if and (ne $kind "none") (eq .Values.teacher.mode "none") ($config.teacher | default dict).model -}}
{{- fail "teacher.mode is none, but the run's configuration has teacher.model: set teacher.mode=run, or distillation.kind of the configuration to none" -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "maskedkd.runName" -}}
{{- $config := include "maskedkd.config" . | fromYaml -}}
{{- coalesce .Values.run.name $config.name (include "maskedkd.fullname" .) -}}
{{- end -}}

{{/* What the teachers are: the run's own section, or that of values where they serve several runs. */}}
{{- define "maskedkd.teacher" -}}
{{- if eq .Values.teacher.mode "serve" -}}
{{- if not (and .Values.teacher.serve.model .Values.teacher.serve.weights) -}}
{{- fail "teacher.mode is serve, which needs teacher.serve.model and teacher.serve.weights" -}}
{{- end -}}
{{- toYaml .Values.teacher.serve -}}
{{- else -}}
{{- $teacher := (include "maskedkd.config" . | fromYaml).teacher | default dict -}}
{{- if not (and $teacher.model $teacher.weights) -}}
{{- fail "teacher.mode is run, which needs teacher.model and teacher.weights in the run's configuration; set teacher.mode=none for a run without a teacher" -}}
{{- end -}}
{{- toYaml $teacher -}}
{{- end -}}
{{- end -}}

{{/* Whether this release has teacher pods, "true" or nothing. */}}
{{- define "maskedkd.hasTeachers" -}}
{{- if or (eq .Values.teacher.mode "serve") (and (eq .Values.teacher.mode "run") .Values.trainer.enabled) -}}true{{- end -}}
{{- end -}}

{{/* How the coordinator is told where the teachers are, a JSON list. */}}
{{- define "maskedkd.teacherAddresses" -}}
{{- if eq .Values.teacher.mode "external" -}}
{{- if not .Values.teacher.addresses -}}{{- fail "teacher.mode is external, which needs teacher.addresses" -}}{{- end -}}
{{- toJson .Values.teacher.addresses -}}
{{- else if include "maskedkd.hasTeachers" . -}}
{{- list (printf "dns:%s:9091" (include "maskedkd.teacherHost" .)) | toJson -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{- define "maskedkd.teacherHost" -}}
{{ include "maskedkd.fullname" . }}-teacher.{{ .Release.Namespace }}.svc
{{- end -}}

{{- define "maskedkd.image" -}}
{{- $image := .root.Values.image -}}
{{- $repository := .role.imageRepository | default $image.repository -}}
{{- if $image.digest -}}
{{ $repository }}@{{ $image.digest }}
{{- else -}}
{{ $repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "maskedkd.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "maskedkd.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* A variable of the user's takes the place of the chart's of that name: twice would be refused. */}}
{{- define "maskedkd.env" -}}
{{- $env := list (dict "name" "MASKEDKD_JAVA_OPTS" "value" .role.javaOptions) -}}
{{- if .tensors -}}{{- $env = append $env (dict "name" "DJL_CACHE_DIR" "value" "/tmp/djl") -}}{{- end -}}
{{- $names := dict -}}
{{- range .role.extraEnv -}}
{{- if hasKey $names .name -}}{{- fail (printf "extraEnv has %s twice" .name) -}}{{- end -}}
{{- $_ := set $names .name true -}}
{{- end -}}
{{- $kept := list -}}
{{- range $env -}}
{{- if not (hasKey $names .name) -}}{{- $kept = append $kept . -}}{{- end -}}
{{- end -}}
{{- concat $kept .role.extraEnv | toYaml -}}
{{- end -}}

{{- define "maskedkd.resources" -}}
{{- $limits := deepCopy (.resources.limits | default dict) -}}
{{- if gt (int .gpu.count) 0 -}}
{{- $_ := set $limits .gpu.resourceName (int .gpu.count) -}}
{{- end -}}
{{- toYaml (merge (dict "limits" $limits) .resources) -}}
{{- end -}}

{{- define "maskedkd.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "maskedkd.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: {{ .port }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: {{ .root.Values.probes.startupFailureThreshold }}
livenessProbe:
  httpGet: {path: /livez, port: {{ .port }}}
  periodSeconds: {{ .root.Values.probes.livenessPeriodSeconds }}
  timeoutSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: {{ .port }}}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{/* What all pods have in common. */}}
{{- define "maskedkd.pod" -}}
serviceAccountName: {{ include "maskedkd.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.schedulerName }}
schedulerName: {{ . }}
{{- end }}
{{- if and .gpu .root.Values.runtimeClassName }}
runtimeClassName: {{ .root.Values.runtimeClassName }}
{{- end }}
{{- with .pod.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .pod.affinity }}
affinity: {{- toYaml .pod.affinity | nindent 2 }}
{{- else if eq .root.Values.placement "pack" }}
affinity:
  podAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- include "maskedkd.selector" (dict "root" .root "component" .other) | nindent 14 }}
{{- else if eq .root.Values.placement "spread" }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- include "maskedkd.selector" (dict "root" .root "component" .other) | nindent 14 }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "maskedkd.selector" (dict "root" .root "component" .component) | nindent 8 }}
{{- end }}
{{- end -}}

{{- define "maskedkd.tlsArguments" -}}
{{- if ne .Values.tls.mode "disabled" -}}
- --tls-cert=/etc/maskedkd/tls/tls.crt
- --tls-key=/etc/maskedkd/tls/tls.key
- --tls-ca=/etc/maskedkd/tls/ca.crt
{{- end -}}
{{- end -}}

{{/* The secret of a role's certificate; the folder is mounted whole, so that a new one arrives. */}}
{{- define "maskedkd.tlsSecret" -}}
{{- if eq .root.Values.tls.mode "certManager" -}}
{{ include "maskedkd.fullname" .root }}-{{ .component }}-tls
{{- else -}}
{{- $name := index .root.Values.tls.existingSecret .component -}}
{{- if not $name -}}{{- fail (printf "tls.mode is existingSecret, which needs tls.existingSecret.%s" .component) -}}{{- end -}}
{{ $name }}
{{- end -}}
{{- end -}}

{{- define "maskedkd.dataVolume" -}}
- name: data
  {{- if .Values.persistence.data.enabled }}
  persistentVolumeClaim:
    claimName: {{ .Values.persistence.data.existingClaim | default (printf "%s-data" (include "maskedkd.fullname" .)) }}
    readOnly: true
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- end -}}

{{- define "maskedkd.tmpVolume" -}}
- name: {{ .name }}
  emptyDir: {sizeLimit: {{ .root.Values.persistence.tmp.sizeLimit }}}
{{- end -}}
