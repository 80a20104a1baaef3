# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy's containers and volumes as a real injected pod has them, as far as Kubernetes or a tool looks at them. Pure."""

from __future__ import annotations

import json

from ..api import Json

NAME, INIT = "istio-proxy", "istio-init"
RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}}
UNPRIVILEGED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "runAsGroup": 1337,
    "runAsNonRoot": True,
    "runAsUser": 1337,
}
# A namespace under Pod Security "restricted" or "baseline" refuses the pod because of this one.
IPTABLES = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": False,
    "runAsGroup": 0,
    "runAsNonRoot": False,
    "runAsUser": 0,
}
MOUNTS = {
    "workload-socket": "/var/run/secrets/workload-spiffe-uds",
    "credential-socket": "/var/run/secrets/credential-uds",
    "workload-certs": "/var/run/secrets/workload-spiffe-credentials",
    "istiod-ca-cert": "/var/run/secrets/istio",
    "istio-data": "/var/lib/istio/data",
    "istio-envoy": "/etc/istio/proxy",
    "istio-token": "/var/run/secrets/tokens",
    "istio-podinfo": "/etc/istio/pod",
}


def container(image: str, workload: str, owner: str, address: str, cluster: str, network: str, *, gateway: bool) -> Json:
    values = {
        "PILOT_CERT_PROVIDER": "istiod",
        "CA_ADDR": address,
        "PROXY_CONFIG": json.dumps({"discoveryAddress": address}, separators=(",", ":")) + "\n",
        "ISTIO_META_CLUSTER_ID": cluster,
        "ISTIO_META_WORKLOAD_NAME": workload,
        "ISTIO_META_OWNER": owner,
        "ISTIO_META_MESH_ID": "cluster.local",
        "TRUST_DOMAIN": "cluster.local",
    } | ({"ISTIO_META_NETWORK": network} if network else {})
    fields = {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace", "INSTANCE_IP": "status.podIP"}
    health = {"httpGet": {"path": "/healthz/ready", "port": 15021}, "timeoutSeconds": 3}
    return {
        "name": NAME,
        "image": image,
        "args": ["proxy", "router" if gateway else "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local"],
        "env": [
            *({"name": name, "value": value} for name, value in values.items()),
            *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
        ],
        "ports": [{"name": "http-envoy-prom", "containerPort": 15090, "protocol": "TCP"}],
        "readinessProbe": health | {"failureThreshold": 4, "periodSeconds": 15},
        "startupProbe": health | {"failureThreshold": 600, "periodSeconds": 1},
        "resources": RESOURCES,
        "securityContext": UNPRIVILEGED,
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in MOUNTS.items()],
    }


def as_native(sidecar: Json) -> Json:
    """As an init container that keeps running, which the kubelet starts before and ends after the others."""
    drain = ["pilot-agent", "request", "--debug-port=15020", "POST", "drain"]
    return sidecar | {"restartPolicy": "Always", "lifecycle": {"preStop": {"exec": {"command": drain}}}}


def init_container(image: str) -> Json:
    arguments = ["istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT"]
    return {"name": INIT, "image": image, "args": arguments, "resources": RESOURCES, "securityContext": IPTABLES}


def volumes(*, crl: bool) -> list[Json]:
    paths = {"labels": "metadata.labels", "annotations": "metadata.annotations"}
    token = {"serviceAccountToken": {"audience": "istio-ca", "expirationSeconds": 43200, "path": "istio-token"}}
    revoked = {"name": "istio-ca-crl", "configMap": {"name": "istio-ca-crl", "optional": True}}
    return [
        *({"name": name, "emptyDir": {}} for name in ("workload-socket", "credential-socket", "workload-certs")),
        {"name": "istio-envoy", "emptyDir": {"medium": "Memory"}},
        {"name": "istio-data", "emptyDir": {}},
        {"name": "istio-podinfo", "downwardAPI": {"items": [{"path": k, "fieldRef": {"fieldPath": v}} for k, v in paths.items()]}},
        {"name": "istio-token", "projected": {"sources": [token]}},
        {"name": "istiod-ca-cert", "configMap": {"name": "istio-ca-root-cert"}},
        *([revoked] if crl else []),
    ]
