{{- /* SPDX-FileCopyrightText: 2026 The meshops.istio authors */ -}}
{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}

{{- define "labels" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/part-of: istio
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}
