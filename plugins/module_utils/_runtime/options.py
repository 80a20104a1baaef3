# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that every verb has: which cluster, and as whom. Names, aliases and variables as in kubernetes.core."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.parameters import env_fallback

from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Verb


def _option(kind: str, *names: str, **more: t.Any) -> dict[str, t.Any]:
    return {"type": kind, "fallback": (env_fallback, list(names)), **more}


AUTH: dict[str, dict[str, t.Any]] = {
    "kubeconfig": _option("raw", "K8S_AUTH_KUBECONFIG", "KUBECONFIG"),
    "context": _option("str", "K8S_AUTH_CONTEXT"),
    "host": _option("str", "K8S_AUTH_HOST"),
    "api_key": _option("str", "K8S_AUTH_API_KEY", no_log=True),
    "username": _option("str", "K8S_AUTH_USERNAME"),
    "password": _option("str", "K8S_AUTH_PASSWORD", no_log=True),
    "validate_certs": _option("bool", "K8S_AUTH_VERIFY_SSL", aliases=["verify_ssl"]),
    "ca_cert": _option("path", "K8S_AUTH_SSL_CA_CERT", aliases=["ssl_ca_cert"]),
    "client_cert": _option("path", "K8S_AUTH_CERT_FILE", aliases=["cert_file"]),
    "client_key": _option("path", "K8S_AUTH_KEY_FILE", aliases=["key_file"]),
    "proxy": _option("str", "K8S_AUTH_PROXY"),
    "no_proxy": _option("str", "K8S_AUTH_NO_PROXY"),
    "proxy_headers": {
        "type": "dict",
        "options": {
            "basic_auth": _option("str", "K8S_AUTH_PROXY_HEADERS_BASIC_AUTH", no_log=True),
            "proxy_basic_auth": _option("str", "K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH", no_log=True),
            "user_agent": _option("str", "K8S_AUTH_PROXY_HEADERS_USER_AGENT"),
        },
    },
    "persist_config": _option("bool", "K8S_AUTH_PERSIST_CONFIG"),
    "impersonate_user": _option("str", "K8S_AUTH_IMPERSONATE_USER"),
    "impersonate_groups": _option("list", "K8S_AUTH_IMPERSONATE_GROUPS", elements="str"),
    "cluster_uid": {"type": "str"},
}


def argument_spec(verb: Verb[t.Any]) -> dict[str, t.Any]:
    return {**AUTH, **verb.spec}
