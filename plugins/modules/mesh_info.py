#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mesh_info
short_description: Tell what is true of a mesh now
version_added: "0.1.0"
description:
  - Reads control planes, injectors, validators, namespaces with what they resolve to, and workloads with what their proxies are and what
    a new pod would get.
  - Names what is wrong, with cause, effect and the way out, also that about which C(istioctl analyze) says nothing.
  - Nothing is written. One list a kind is read over the whole cluster, so that requests grow with pages, not with namespaces or pods.
author: [The meshops.istio authors (@meshops)]
extends_documentation_fragment:
  - meshops.istio.auth
  - meshops.istio.attributes
  - meshops.istio.attributes.reads
  - meshops.istio.istio_namespace
options:
  gather_subset:
    description:
      - Which parts are read, as for M(ansible.builtin.setup). V(min) is always read, but for V(!min). V(all) is everything, and V(!) in
        front of a name leaves it out.
      - V(min) is control planes, injectors, validators and namespaces; seven lists, three single requests, and one for the settings of
        each control plane, whatever the cluster's size.
      - V(workloads) is all that has pods, down to its owner, and gateways; one list each of Deployments, StatefulSets, DaemonSets, pods,
        PodDisruptionBudgets, and of ReplicaSets and ReplicationControllers of nobody. Without it, findings about workloads are left out.
      - V(mesh_config) is what each control plane's ConfigMaps say of trust, network and discovery; two requests for each of them, and one
        for the roots that are given out to sidecars. It needs the right to get these ConfigMaps.
      - V(objects) is objects of Istio and of the Gateway API with a label C(istio.io/rev), and who reads them; one list for each of their
        kinds, about twenty. It needs the right to list them; what it may not list is named in RV(unknown).
      - V(versions) is what each istiod says that it is; one request for each of its pods, by the API server's proxy. It needs the right
        to get C(pods/proxy).
      - V(connections) is who is connected to each istiod, and whether that has taken what it was sent; one command
        (C(pilot-discovery request GET /debug/syncz)) in each of its pods. It needs the rights to get and create C(pods/exec). What could
        not be read is not known, and nobody is called cut off for it.
    type: list
    elements: str
    default: [workloads]
  report:
    description: Print the status table at once, besides returning it.
    type: bool
    default: false
  cluster_name:
    description: The name of the cluster in the table; default is the URL of its API server.
    type: str
"""

EXAMPLES = r"""
---
- name: See which workloads are stale
  meshops.istio.mesh_info:
    kubeconfig: ~/.kube/eu-1
  register: mesh

- name: Name them
  ansible.builtin.debug:
    msg: "{{ mesh.workloads | selectattr('stale') | map(attribute='path') }}"

- name: Hold what pods say against what istiods say
  meshops.istio.mesh_info:
    kubeconfig: ~/.kube/eu-1
    gather_subset: [workloads, connections]
  register: told

- name: Name the sidecars that no istiod knows
  ansible.builtin.debug:
    msg: "{{ told.disagreements | selectattr('connected', '==', 'not connected') | map(attribute='text') }}"

- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ mesh.findings | selectattr('weight', '==', 'warning') | map(attribute='what') }}"
"""

RETURN = r"""
---
msg:
  description: What was found or done, in one sentence.
  returned: always
  type: str
predicted:
  description: Whether the answer was computed from a snapshot and the plan, as in check mode, and not answered by the cluster.
  returned: success
  type: bool
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  contains:
    kind:
      description: The kind of error.
      type: str
    reason:
      description: The cause.
      type: str
    hint:
      description: What to do.
      type: str
cluster_uid:
  description: The UID of namespace C(kube-system), which tells this cluster from any other.
  returned: success
  type: str
kubernetes:
  description: The API server's version.
  returned: success
  type: str
report:
  description: The status table, line by line.
  returned: success
  type: list
  elements: str
findings:
  description:
    - What is wrong with the mesh now, the worst first, as far as it was read.
    - A C(note) is nothing wrong, and good to know.
  returned: success
  type: list
  elements: dict
  contains:
    weight:
      description: V(warning) or V(note).
      type: str
    topic:
      description: What it is about, for example V(injection), V(validation) or V(proxies).
      type: str
    what:
      description: The fact, in one sentence.
      type: str
    where:
      description: The objects in which it was seen.
      type: str
    why:
      description: The cause, and the effect.
      type: str
    do:
      description: The way out.
      type: str
unknown:
  description: What could not be seen, each as a sentence. Nothing is claimed about it.
  returned: success
  type: list
  elements: str
disagreements:
  description: Pods of which not all sources say the same, those of one workload together.
  returned: with subset V(workloads)
  type: list
  elements: dict
  contains:
    path:
      description: The workload, as in V(pay/deploy/api).
      type: str
    namespace:
      description: Its namespace.
      type: str
    pods:
      description: The names of these pods.
      type: list
      elements: str
    revision:
      description:
        - The revision of their sidecars; V(none) where they have none.
        - It is the annotation C(istio.io/rev), else the status, else where the proxy connects to, else its label where injection writes it.
      type: str
    against:
      description: Which sources contradict that; V(status), V(connection), V(version) or V(prediction).
      type: list
      elements: str
    status:
      description: What the annotation C(sidecar.istio.io/status) says, where that is another revision.
      type: str
    connected:
      description: The revision to whose istiod they are connected, or V(not connected); V(none) where that is not known.
      type: str
    version:
      description: By their image.
      type: str
    reported_version:
      description: What they told their istiod, where that is another version.
      type: str
    gets:
      description: What a new pod would get; V(none) for no sidecar.
      type: str
    text:
      description: All of it in one sentence.
      type: str
trusted_roots:
  description: Fingerprints (SHA-256) of the roots that sidecars in the Istio namespace trust; V(none) where that may not be seen.
  returned: with subset V(mesh_config)
  type: list
  elements: str
objects:
  description: Objects with a label C(istio.io/rev), without those that an installer has made of itself.
  returned: with subset V(objects)
  type: list
  elements: dict
  contains:
    resource:
      description: For example V(virtualservices.networking.istio.io).
      type: str
    namespace:
      description: Its namespace.
      type: str
    name:
      description: Its name.
      type: str
    revision:
      description: What the label says.
      type: str
    read_by:
      description: The revision that reads it; V(none) for nobody, V(unknown) where this user may not list Deployments.
      type: str
connections:
  description: What each pod of istiod says of its proxies. Where it could not be read, the numbers are V(none).
  returned: with subset V(connections)
  type: list
  elements: dict
  contains:
    revision:
      description: Of the istiod.
      type: str
    namespace:
      description: Of the istiod.
      type: str
    pod:
      description: Its name.
      type: str
    read:
      description: Whether it could be asked.
      type: bool
    why:
      description: Why not.
      type: str
    proxies:
      description: How many are connected to it.
      type: int
    synced:
      description: How many have taken all that they were sent.
      type: int
    pending:
      description: How many have not answered to the newest yet.
      type: int
    refused:
      description: How many have refused it, and go on with what they had.
      type: int
    versions:
      description: How many of them are of which version.
      type: dict
control_planes:
  description: Those that run here, and those that are only called by a url.
  returned: with subset V(min)
  type: list
  elements: dict
  contains:
    revision:
      description: Its name; V(default) is the unrevisioned one.
      type: str
    namespace:
      description: Of its Deployment; V(none) for one that does not run here, as are the next four.
      type: str
    name:
      description: Of its Deployment.
      type: str
    version:
      description: By its image; V(none) where that tells nothing.
      type: str
    ready:
      description: Whether all its replicas are available.
      type: bool
    replicas:
      description: How many are C(wanted), and how many are C(ready).
      type: dict
    tags:
      description: The tags that point at it.
      type: list
      elements: str
    installed_by:
      description: V(istioctl), V(helm), V(sail), V(asmcli), V(google-managed), V(meshops) for this collection without helm, or V(unknown).
      type: str
    evidence:
      description: What says so.
      type: str
    ca_roots:
      description: Fingerprints (SHA-256) of the certificates in the caBundles of its injectors.
      type: list
      elements: str
    reported_versions:
      description: How many of its pods say that they are which version, with subset V(versions).
      type: dict
    mesh_config:
      description:
        - Trust domain and aliases, root namespace, discovery address, mesh id, network, cluster name, CA address and discovery selectors,
          with subset V(mesh_config). V(none) where it could not be read.
      type: dict
injectors:
  description: MutatingWebhookConfigurations that inject sidecars.
  returned: with subset V(min)
  type: list
  elements: dict
  contains:
    name:
      description: Of the configuration.
      type: str
    revision:
      description: Whom it belongs to.
      type: str
    tag:
      description: The tag that it stands for; V(none) for a revision's own.
      type: str
    default:
      description: Whether it serves C(istio-injection=enabled).
      type: bool
    legacy:
      description: Whether it is of the form of 1.9 and before, by which pods cannot ask.
      type: bool
    disabled:
      description: Whether it matches nothing, as istioctl leaves it beside a default tag.
      type: bool
    service:
      description: Whom it calls; V(none) for a url.
      type: str
    namespace:
      description: Of that Service.
      type: str
    service_exists:
      description: Whether that Service is there; V(none) where it is not known.
      type: bool
    endpoints:
      description: How many ready endpoints it has; V(none) where it is not known.
      type: int
    url:
      description: Whom it calls, where that is no Service.
      type: str
    port:
      description: Of the Service.
      type: int
    path:
      description: Where it is asked.
      type: str
    ca:
      description: Whether each entry has a caBundle, or a url that needs none.
      type: bool
    entries:
      description: Name, rules and CA of each of its webhooks.
      type: list
      elements: dict
validators:
  description: ValidatingWebhookConfigurations that judge objects of Istio; V(none) where this user may not list them.
  returned: with subset V(min)
  type: list
  elements: dict
  contains:
    name:
      description: Of the configuration.
      type: str
    revision:
      description: Whom it belongs to.
      type: str
    tag:
      description: The tag that it belongs to.
      type: str
    default:
      description: Whether it judges what names no revision.
      type: bool
    failure_policy:
      description: V(Fail) or V(Ignore), what becomes of an object that cannot be judged.
      type: str
    service:
      description: Whom it calls; V(none) for a url.
      type: str
    namespace:
      description: Of that Service.
      type: str
    service_exists:
      description: Whether that Service is there; V(none) where it is not known.
      type: bool
    endpoints:
      description: How many ready endpoints it has; V(none) where it is not known.
      type: int
    url:
      description: Whom it calls, where that is no Service.
      type: str
    port:
      description: Of the Service.
      type: int
    path:
      description: Where it is asked.
      type: str
    ca:
      description: Whether it has a caBundle.
      type: bool
namespaces:
  description: All namespaces, and what becomes of a plain pod in each.
  returned: with subset V(min)
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    labels:
      description: C(istio-injection) and C(istio.io/rev); V(none) is absent.
      type: dict
    outcome:
      description: >-
        What becomes of a plain pod: V(sidecar), V(none), V(refused), or V(unknown) where it cannot be computed from what can be seen;
        M(meshops.istio.injection_probe) asks the cluster.
      type: str
    gets:
      description: The revision that a plain pod gets, or would get if it were not refused; V(none) for no sidecar, or not known.
      type: str
    why:
      description: Why that is so, in one sentence.
      type: str
    refused:
      description: Why the API server would refuse the pod now; V(none) where it would not.
      type: str
    injectors:
      description: The injectors that are asked, in the order in which they are.
      type: list
      elements: str
    ambient:
      description: Whether it is in ambient mode.
      type: bool
    discovered_by:
      description: The revisions whose discovery selectors take it, with subset V(mesh_config).
      type: list
      elements: str
    prior:
      description: The labels to which a rollback leads, where an upgrade has moved it.
      type: dict
workloads:
  description: What has pods, down to its owner. A gateway is none of these.
  returned: with subset V(workloads)
  type: list
  elements: dict
  contains: &workload
    kind:
      description: Of the owner, for example V(Deployment).
      type: str
    group:
      description: Of its API; empty for Kubernetes' own kinds.
      type: str
    namespace:
      description: Its namespace.
      type: str
    name:
      description: Its name.
      type: str
    path:
      description: All of it, as in V(pay/deploy/api).
      type: str
    asks:
      description: What its template asks for by itself; V(in), V(out), or V(default) where the namespace decides.
      type: str
    outcome:
      description: >-
        What becomes of a new pod: V(sidecar), V(none), V(refused), or V(unknown) where it cannot be computed from what can be seen;
        M(meshops.istio.injection_probe) asks the cluster.
      type: str
    gets:
      description: The revision that a new pod would get, also where it is refused now; V(none) for no sidecar, or where it is not known.
      type: str
    why:
      description: Why that is so, in one sentence.
      type: str
    gets_version:
      description: The version of that; V(none) where it is not known.
      type: str
    refused:
      description: Why the API server would refuse a new pod now; V(none) where it would not.
      type: str
    pods:
      description: How many run; V(none), as for all that is known by them, where this user may not list pods.
      type: int
    proxies:
      description: How many of them have which revision's proxy.
      type: dict
    versions:
      description: How many of them have a proxy of which version.
      type: dict
    sidecar:
      description: V(container), V(native), V(mixed), or V(none) without one.
      type: str
    standing:
      description:
        - V(current), V(stale), V(orphaned), V(outside), V(empty), V(gateway), or V(unknown).
        - V(unknown) is where a new pod cannot be predicted, or the running ones cannot be seen.
      type: str
    stale:
      description: Whether a new pod would get another revision or version than a running one has.
      type: bool
gateways:
  description: What is a proxy itself.
  returned: with subset V(workloads)
  type: list
  elements: dict
  contains:
    <<: *workload
    type:
      description: V(injected), V(gateway-api), or V(rendered) for one that is installed whole.
      type: str
"""

from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import run_module
from ansible_collections.meshops.istio.plugins.module_utils._verbs.mesh_info import VERB


def main() -> None:
    run_module(VERB)


if __name__ == "__main__":
    main()
