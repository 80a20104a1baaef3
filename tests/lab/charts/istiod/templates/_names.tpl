{{- /* SPDX-FileCopyrightText: 2026 The meshops.istio authors */ -}}
{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}

{{- /* "-REV", or nothing for the unrevisioned one. */ -}}
{{- define "dashed" -}}
{{- with .Values.revision }}{{ ne . "default" | ternary (printf "-%s" .) "" }}{{ end -}}
{{- end -}}

{{- define "revision" -}}
{{ .Values.revision | default "default" }}
{{- end -}}

{{- /* Names of cluster-wide objects carry the namespace where it is not the usual one. */ -}}
{{- define "elsewhere" -}}
{{ eq .Release.Namespace "istio-system" | ternary "" (printf "-%s" .Release.Namespace) }}
{{- end -}}

{{- define "standard" -}}
app.kubernetes.io/name: istiod
{{ include "standard.of" . }}
{{- end -}}

{{- define "standard.of" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/part-of: istio
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
release: {{ .Release.Name }}
{{- end -}}

{{- /* The labels by which istioctl knows what it may prune. */ -}}
{{- define "component" -}}
install.operator.istio.io/owning-resource: unknown
istio.io/rev: {{ include "revision" . | quote }}
operator.istio.io/component: Pilot
{{- end -}}

{{- /* Selector of the pods: never that of a canary for the unrevisioned one, nor the other way round. */ -}}
{{- define "pods" -}}
app: istiod
{{- if include "dashed" . }}
istio.io/rev: {{ .Values.revision | quote }}
{{- else }}
istio: pilot
{{- end }}
{{- end -}}

{{- /* The values of the control plane itself, from the top level and from `pilot`. */ -}}
{{- define "pilot" -}}
{{ mergeOverwrite (deepCopy (omit .Values "pilot" "global")) (.Values.pilot | default dict) | toJson }}
{{- end -}}

{{- /* Ports and pods of the Service, which every tag has once more. */ -}}
{{- define "service" -}}
ports:
- {name: grpc-xds, port: 15010, protocol: TCP}
- {name: https-dns, port: 15012, protocol: TCP}
- {name: https-webhook, port: 443, targetPort: 15017, protocol: TCP}
- {name: http-monitoring, port: 15014, protocol: TCP}
selector:
  {{- include "pods" . | nindent 2 }}
{{- end -}}
