import os
import threading
import warnings
from typing import Any, cast

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "datanika_site.settings")

# WhiteNoise answers static files with plain file responses, which Django reads whole: small and fine.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators")

_django = get_asgi_application()

# After Django's set-up, which importing these needs.
from common.bodies import BodyLimit  # noqa: E402
from connections import runner  # noqa: E402

application = BodyLimit(cast(Any, _django))

# Checks and previews fork from a warm parent; it imports dlt and dbt while the first pages are served.
threading.Thread(target=lambda: runner.pool().warm_up(), name="warm-up", daemon=True).start()
