"""The signature of SalesIQ: base64 of RSA (PKCS#1 v1.5) with SHA-256 over the raw body."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from supportbot.errors import SettingsError

HEADER = "x-siqsignature"
_LONGEST = 4096  # characters; a key of 16384 bits signs with 2732
_FRAME = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]{1,40}-----")


class Keys:
    """The public keys that calls may be signed with. Falsy without any: then nothing is asked of a call."""

    def __init__(self, keys: Sequence[RSAPublicKey]) -> None:
        self._keys = tuple(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def accept(self, body: bytes, signature: str) -> bool:
        """Whether one of the keys signed these bytes. Any text gives an answer, never an exception."""
        try:
            made = base64.b64decode(signature.strip().encode("ascii"), validate=True)
        except ValueError:  # also what is not ASCII
            return False
        return 0 < len(signature) <= _LONGEST and any(_signed(key, made, body) for key in self._keys)


def read_keys(texts: Iterable[str]) -> Keys:
    """Keys as SalesIQ shows them: PEM, with or without its first and last line. Raises SettingsError.

    A text may hold several; line ends may be spelled ``\\n``, as they are in many environments. Empty texts are none.
    """
    found: list[RSAPublicKey] = []
    for number, text in enumerate(texts, start=1):
        for part in _FRAME.split(text.replace("\\n", "\n").replace("\\r", "")):
            if part.strip():
                found.append(_key("".join(part.split()), number))
    return Keys(found)


def _key(text: str, number: int) -> RSAPublicKey:
    where = f"channels.salesiq.public_keys, number {number}"
    try:
        key = load_der_public_key(base64.b64decode(text.encode("ascii"), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        hint = "copy it from Settings > Bot > Zobot, with or without the BEGIN and END lines"
        raise SettingsError(f"{where}: this is no public key; {hint}") from None
    if not isinstance(key, RSAPublicKey):
        raise SettingsError(f"{where}: this is not an RSA key, and SalesIQ signs with RSA")
    return key


def _signed(key: RSAPublicKey, signature: bytes, body: bytes) -> bool:
    try:
        key.verify(signature, body, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
