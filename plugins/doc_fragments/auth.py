# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of the options that every module has: which cluster, and as whom."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig file, or its content as a dictionary.
      - Falls back to E(K8S_AUTH_KUBECONFIG), then E(KUBECONFIG). A C(~/.kube/config) that nobody named does not count.
    type: raw
  context:
    description: The context in the kubeconfig. Falls back to E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description: URL of the API server; wins over that of a kubeconfig. Falls back to E(K8S_AUTH_HOST).
    type: str
  api_key:
    description: Bearer token. Falls back to E(K8S_AUTH_API_KEY).
    type: str
  username:
    description: User name for basic authentication. Falls back to E(K8S_AUTH_USERNAME).
    type: str
  password:
    description: Password for basic authentication. Falls back to E(K8S_AUTH_PASSWORD).
    type: str
  validate_certs:
    description: Whether the API server's certificate is checked. Falls back to E(K8S_AUTH_VERIFY_SSL).
    type: bool
    aliases: [verify_ssl]
  ca_cert:
    description: Path of the CA certificate of the API server. Falls back to E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description: Path of the client certificate. Falls back to E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description: Path of the client certificate's key. Falls back to E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  proxy:
    description: URL of an HTTP proxy. Falls back to E(K8S_AUTH_PROXY).
    type: str
  no_proxy:
    description: Hosts that are reached without the proxy, separated by commas. Falls back to E(K8S_AUTH_NO_PROXY).
    type: str
  proxy_headers:
    description: Headers for the HTTP proxy.
    type: dict
    suboptions:
      basic_auth:
        description: C(USER:PASSWORD) for the server. Falls back to E(K8S_AUTH_PROXY_HEADERS_BASIC_AUTH).
        type: str
      proxy_basic_auth:
        description: C(USER:PASSWORD) for the proxy. Falls back to E(K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH).
        type: str
      user_agent:
        description: The user agent to name. Falls back to E(K8S_AUTH_PROXY_HEADERS_USER_AGENT).
        type: str
  persist_config:
    description: Whether renewed tokens are written back into the kubeconfig file. Falls back to E(K8S_AUTH_PERSIST_CONFIG).
    type: bool
  impersonate_user:
    description: User to act as. Falls back to E(K8S_AUTH_IMPERSONATE_USER).
    type: str
  impersonate_groups:
    description: Groups to act as. Falls back to E(K8S_AUTH_IMPERSONATE_GROUPS).
    type: list
    elements: str
  cluster_uid:
    description:
      - The UID of the namespace C(kube-system) of the cluster that is meant.
      - Any other cluster is refused before the first write.
    type: str
requirements:
  - kubernetes >= 33.1
"""
