"""Networks: trunks by name, adapters, the heads on top; and all names that a file with a trunk of one's own needs."""

from typing import TYPE_CHECKING

from labelprop.core.lazy import handed_on

if TYPE_CHECKING:
    from labelprop.core.entry import Entry as Entry
    from labelprop.core.errors import RequestError as RequestError
    from labelprop.models.trunks.trunk import Trunk as Trunk
    from labelprop.models.trunks.trunk import require_image as require_image

__all__, __getattr__, __dir__ = handed_on(__name__)
