{{- /* SPDX-FileCopyrightText: 2026 The meshops.istio authors */ -}}
{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}

{{- /* One entry of an injector: context (root, prefix, namespaces, objects). */ -}}
{{- define "entry" -}}
- name: {{ .prefix }}.sidecar-injector.istio.io
  clientConfig:
    service:
      name: istiod{{ include "dashed" .root }}
      namespace: {{ .root.Release.Namespace }}
      path: /inject
      port: 443
  rules:
  - operations: [CREATE]
    apiGroups: [""]
    apiVersions: [v1]
    resources: [pods]
  failurePolicy: Fail
  sideEffects: None
  reinvocationPolicy: {{ .root.Values.sidecarInjectorWebhook.reinvocationPolicy }}
  admissionReviewVersions: [v1]
  namespaceSelector:
    matchExpressions:
    {{- range .namespaces }}
    - {{ . | toJson }}
    {{- end }}
  objectSelector:
    matchExpressions:
    {{- range .objects }}
    - {{ . | toJson }}
    {{- end }}
{{- end -}}

{{- /* All entries of an injector that answers to `name`; `default` is also asked by istio-injection and by pods themselves. */ -}}
{{- define "entries" -}}
{{- $no_injection := dict "key" "istio-injection" "operator" "DoesNotExist" -}}
{{- $no_revision := dict "key" "istio.io/rev" "operator" "DoesNotExist" -}}
{{- $ours := dict "key" "istio.io/rev" "operator" "In" "values" (list .name) -}}
{{- $not_refused := dict "key" "sidecar.istio.io/inject" "operator" "NotIn" "values" (list "false") -}}
{{- $wished := dict "key" "sidecar.istio.io/inject" "operator" "In" "values" (list "true") -}}
{{- $enabled := dict "key" "istio-injection" "operator" "In" "values" (list "enabled") -}}
{{ include "entry" (dict "root" .root "prefix" "rev.namespace" "namespaces" (list $ours $no_injection) "objects" (list $not_refused)) }}
{{ include "entry" (dict "root" .root "prefix" "rev.object" "namespaces" (list $no_revision $no_injection) "objects" (list $not_refused $ours)) }}
{{- if eq .name "default" }}
{{ include "entry" (dict "root" .root "prefix" "namespace" "namespaces" (list $enabled) "objects" (list $not_refused)) }}
{{ include "entry" (dict "root" .root "prefix" "object" "namespaces" (list $no_injection $no_revision) "objects" (list $wished $no_revision)) }}
{{- if .root.Values.sidecarInjectorWebhook.enableNamespacesByDefault }}
{{- $systems := list "kube-system" "kube-public" "kube-node-lease" "local-path-storage" }}
{{- $ordinary := dict "key" "kubernetes.io/metadata.name" "operator" "NotIn" "values" $systems }}
{{- $no_wish := dict "key" "sidecar.istio.io/inject" "operator" "DoesNotExist" }}
{{ include "entry" (dict "root" .root "prefix" "auto" "namespaces" (list $no_injection $no_revision $ordinary) "objects" (list $no_wish $no_revision)) }}
{{- end }}
{{- end }}
{{- end -}}
