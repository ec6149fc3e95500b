"""How allauth's second factor fits in (``MFA_ADAPTER``): its secrets are encrypted, its pictures are ours."""

import base64
from io import BytesIO
from urllib.parse import urlsplit

import qrcode  # type: ignore[import-untyped]
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from qrcode.image.svg import SvgPathFillImage  # type: ignore[import-untyped]

from common import crypto


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("This code is wrong or was used already. Wait for the next one."),
    }

    def encrypt(self, text: str) -> str:
        return crypto.encrypt_text(text)

    def decrypt(self, encrypted_text: str) -> str:
        return crypto.decrypt_text(encrypted_text)

    def get_totp_issuer(self) -> str:
        """What the app calls the entry; people may have one for each of several installations."""
        return f"Datanika {urlsplit(settings.BASE_URL).hostname}"

    def build_totp_svg(self, url: str) -> str:
        # White beneath: cameras do not read light squares on a dark page.
        picture = BytesIO()
        qrcode.make(url, image_factory=SvgPathFillImage).save(picture)
        return picture.getvalue().decode()


def picture_of(address: str) -> str:
    """The QR code of an ``otpauth:`` address, for the ``src`` of an image."""
    svg = MFAAdapter().build_totp_svg(address)
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
