# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control planes' certificate authority, one for all revisions of a namespace, and a certificate for the webhooks from it."""

from __future__ import annotations

import base64
import datetime
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..api import Api, ApiProblem, Json

SECRET = "istio-ca-secret"
ROOT_YEARS, SERVING_DAYS = 10, 365


class Authority:
    def __init__(self, certificate: bytes, key: bytes) -> None:
        self.certificate, self.key = certificate, key
        self._root = x509.load_pem_x509_certificate(certificate)
        loaded = serialization.load_pem_private_key(key, None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise ValueError(f"the key in Secret {SECRET} is not one of the lab")
        self._key = loaded

    @classmethod
    def new(cls) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "cluster.local")])
        certificate = (
            _unsigned(key, name, name, datetime.timedelta(days=365 * ROOT_YEARS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))

    @property
    def bundle(self) -> str:
        """As webhook configurations carry it."""
        return base64.b64encode(self.certificate).decode()

    def server_context(self, hosts: Iterable[str]) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        certificate = (
            _unsigned(key, x509.Name([]), self._root.subject, datetime.timedelta(days=SERVING_DAYS))
            .add_extension(names, critical=True)
            .add_extension(usage, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:  # ssl takes nothing but files
            Path(file.name).write_bytes(_key_pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
            context.load_cert_chain(file.name)
        return context


def authority(api: Api, namespace: str) -> Authority:
    """The one in the Secret; the first control plane of a namespace makes it."""
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    try:
        secret = api.get(f"{secrets}/{SECRET}")
    except ApiProblem as problem:
        if problem.status != 404:
            raise
        try:
            secret = api.post(secrets, _new())
        except ApiProblem as taken:
            if taken.reason != "AlreadyExists":
                raise
            secret = api.get(f"{secrets}/{SECRET}")
    return Authority(*(base64.b64decode(secret["data"][name]) for name in ("ca-cert.pem", "ca-key.pem")))


def _new() -> Json:
    made = Authority.new()
    pem = {"ca-cert.pem": made.certificate, "ca-key.pem": made.key}
    return {
        "metadata": {"name": SECRET},
        "type": "istio.io/ca-root",
        "data": {name: base64.b64encode(content).decode() for name, content in pem.items()},
    }


def _unsigned(
    key: ec.EllipticCurvePrivateKey, subject: x509.Name, issuer: x509.Name, lifetime: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + lifetime)
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    kind = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
