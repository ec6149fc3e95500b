"""Settings. Without any variable set: SQLite, a broker of files, keys made at the first start (embedded mode).

Only what must be known before the database is read from the environment; see docs/configuration.md.
"""

import os
from pathlib import Path

import django_stubs_ext
from csp.constants import NONE, SELF

from datanika_site import env as environment
from datanika_site import keys as key_store

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = environment.data_dir(
    Path(os.environ.get("DATANIKA_DATA_DIR") or BASE_DIR / "data").resolve()
)

#: No DATABASE_URL: one machine, no servers.
EMBEDDED = not environment.secret("DATABASE_URL")
DEBUG = environment.env.bool("DATANIKA_DEBUG", default=False)
SHOW_KIT = environment.env.bool("DATANIKA_SHOW_KIT", default=DEBUG)

_keys = key_store.load(DATA_DIR, embedded=EMBEDDED)
SECRET_KEY = _keys.secret_key
CREDENTIAL_ENCRYPTION_KEYS = _keys.encryption_keys
#: Where keys come from a file, a running process learns of new ones by this.
READ_ENCRYPTION_KEYS = _keys.read_again
ENCRYPTION_KEYS_ARE_OWN = _keys.are_own
#: What hashed columns depend on; it has to outlive rotations, which put a new key before the old ones.
HASHING_SECRET = _keys.hashing_secret
KEYS_SOURCE = _keys.source

ALLOWED_HOSTS = environment.env.list(
    "DATANIKA_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if EMBEDDED else []
)
#: The address people type, for links in mails and for CSRF behind a TLS proxy.
BASE_URL = environment.env.str("DATANIKA_BASE_URL", default="http://localhost:8000").rstrip("/")
CSRF_TRUSTED_ORIGINS = [BASE_URL]
_https = BASE_URL.startswith("https://")

INSTALLED_APPS = [
    "datanika_site.admin_config.OperatorAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "template_partials",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.google",
    "allauth.socialaccount.providers.openid_connect",
    "guardian",
    "rest_framework",
    "drf_spectacular",
    "django_celery_beat",
    "common",
    "audit",
    "tenants",
    "connections",
    "pipelines",
    "transforms",
    "orchestration",
    "alerts",
    "datanika_site",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # Before what serves static files, so that those have the headers too.
    "common.headers.HeadersMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "common.middleware.RequestIdMiddleware",
    # Before the check of the CSRF token, which reads forms to their end.
    "common.bodies.BodyLimitMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "tenants.middleware.OrganizationMiddleware",
    "tenants.entering.OperatorEntryMiddleware",
    "tenants.sessions.SessionsMiddleware",
    "common.middleware.UserErrorMiddleware",
    "audit.middleware.RefusalMiddleware",
]

ROOT_URLCONF = "datanika_site.urls"
WSGI_APPLICATION = "datanika_site.wsgi.application"
ASGI_APPLICATION = "datanika_site.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "datanika_site.shell.shell",
            ],
            "builtins": [
                "django.templatetags.static",
                "django.templatetags.i18n",
                "common.templatetags.ui",
            ],
        },
    }
]
FORM_RENDERER = "common.ui.forms.Renderer"

DATABASES = {"default": environment.database(DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = [
    "allauth.account.auth_backends.AuthenticationBackend",
    "guardian.backends.ObjectPermissionBackend",
]
# BCryptSHA256 hashes first, so passwords of any length count whole.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "tenants.passwords.LengthBound"},
    {"NAME": "tenants.passwords.DifferentCharacters"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "account_login"

ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
# Not for everybody alike: tenants.sign_in_stages asks those for a proof who signed up by themselves.
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "tenants.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "tenants.sign_in_forms.SignInForm",
    "change_password": "tenants.sign_in_forms.PasswordChangeForm",
    "reset_password": "tenants.sign_in_forms.PasswordResetForm",
    "reset_password_from_key": "tenants.sign_in_forms.NewPasswordForm",
}
# What each door is: tenants.doors. The key is the account, invitation or link that is tried.
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "signup": "20/m/ip,5/h/key",
    "confirm_email": "20/m/ip,1/3m/key",
    "link": "30/m/ip,20/5m/key",
    "reset_password": "20/m/ip,5/m/key,10/h/key",
    "reset_password_from_key": "20/m/ip",
    "reset_key": "30/m/ip,20/5m/key",
    "invitation": "30/m/ip,20/5m/key",
    "change_password": "5/m/user",
    "manage_email": "5/m/user",
    "reauthenticate": "10/m/user",
    "exchange": "60/m/ip",
    "api_key": "60/m/ip",
}
# allauth's own writes down an address nobody has to prove whenever a link is asked for.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_USER_DISPLAY = "tenants.adapter.display_name"

# Providers are rows of IdentityProvider; what they know of a person is asked for and forgotten.
SOCIALACCOUNT_ADAPTER = "tenants.providers.SocialAccountAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_QUERY_EMAIL = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False

# allauth keeps second factors and asks for them; whether one may be set up is decided by our service.
MFA_ADAPTER = "tenants.second_factor.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True

# Object grants for a single pipeline or connection; nobody acts as "anonymous".
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False

EMAIL_BACKEND = environment.env.str(
    "DATANIKA_EMAIL_BACKEND", default="django.core.mail.backends.console.EmailBackend"
)
if environment.secret("DATANIKA_EMAIL_URL"):
    vars().update(environment.env.email_url_config(environment.secret("DATANIKA_EMAIL_URL")))
#: Where mail goes while operators have saved no server in the platform settings.
MAIL_BACKEND_OF_ENVIRONMENT = EMAIL_BACKEND
EMAIL_BACKEND = "tenants.platform_mail.PlatformMailBackend"
DEFAULT_FROM_EMAIL = environment.env.str("DATANIKA_MAIL_FROM", default="datanika@localhost")

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static" if EMBEDDED else BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        # Compressing takes 15 s of the first start and serves nobody on the same machine.
        "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        if EMBEDDED
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000
#: One uploaded file, in bytes.
MAX_UPLOAD_BYTES = environment.env.int("DATANIKA_MAX_UPLOAD_MB", default=1024) * 1024 * 1024

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_SSL_REDIRECT = _https
# Health checks come from inside, without TLS and without the proxy that speaks it.
SECURE_REDIRECT_EXEMPT = [r"^healthz/$", r"^static/"]
# HSTS for subdomains, and the browsers' own lists, bind names beside ours: that is for who owns the domain to decide,
# at the proxy. Everything else of `check --deploy` has to be in order.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
CSRF_FAILURE_VIEW = "datanika_site.views_refused.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
        "manifest-src": [SELF],
    }
}

#: The Django admin, for operators; the path is theirs to choose.
ADMIN_PATH = environment.env.str("DATANIKA_ADMIN_PATH", default="admin").strip("/") + "/"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tenants.api_authentication.ApiKeyAuthentication",
        "tenants.api_authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["datanika_site.api_json.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "common.api.exception_handler",
    "DEFAULT_PAGINATION_CLASS": "common.api.CursorPagination",
    "PAGE_SIZE": 50,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Datanika API",
    "DESCRIPTION": "Everything the pages do, for machines. Sign in with an API key as Bearer token.",
    "VERSION": "v1",
    "SERVE_INCLUDE_SCHEMA": False,
    # Operations are named and grouped by what stands below the organization.
    "SCHEMA_PATH_PREFIX": r"/api/v1(/organizations/\{organization\})?",
    # Fields of one name with different choices each need a name of their own.
    "ENUM_NAME_OVERRIDES": {
        "RunStatusEnum": "orchestration.models.Status",
        "TestKindEnum": "transforms.models.TestKind",
        "SchemaChangeEnum": "pipelines.models.SchemaChange",
        "BackfillStatusEnum": "orchestration.models.BackfillStatus",
        "AlertChannelKindEnum": "alerts.models.ChannelKind",
        "AlertDeliveryStatusEnum": "alerts.models.DeliveryStatus",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "common.api_schema.with_problems",
    ],
}

# ---- runs ---------------------------------------------------------------------------------------
CELERY_BROKER_URL = environment.secret("CELERY_BROKER_URL") or "files://localhost"
CELERY_TASK_IGNORE_RESULT = True
#: What beat asks for; every worker listens to it, whatever queues of steps it serves.
CELERY_TASK_DEFAULT_QUEUE = "housekeeping"
CELERY_TASK_ACKS_LATE = False  # the database is the truth: a lost bell is rung again by the sweep
#: None is acknowledged late, so there is nothing to cancel; without it Celery warns at each loss of the broker.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
#: For ever: a worker whose broker is away goes on from the database.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
DJANGO_CELERY_BEAT_TZ_AWARE = True
if CELERY_BROKER_URL.startswith("files:"):
    # Remote control would be one more set of files that nobody reads.
    CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
    _broker = DATA_DIR / "broker"
    for _folder in ("queue", "control"):
        (_broker / _folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_broker / "queue"),
        "data_folder_out": str(_broker / "queue"),
        "control_folder": str(_broker / "control"),
        "store_processed": False,
        # Measured: 32 ms from delay() to the task at this interval (docs/decisions).
        "polling_interval": 0.05,
    }

if CELERY_BROKER_URL.startswith("redis"):
    # A request must not wait for a broker that is away: the rows are there, and workers look by themselves.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        **dict.fromkeys(("max_retries", "interval_start", "interval_step", "interval_max"), 0),
        "socket_connect_timeout": 2,
        "socket_timeout": 5,
    }
    # Rate limits of the sign-in count across all web processes.
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": CELERY_BROKER_URL,
            "KEY_PREFIX": "datanika-cache",
        }
    }

#: Steps one worker executes at a time; each is a child process of its own.
WORKER_SLOTS = environment.env.int("DATANIKA_WORKER_SLOTS", default=max(2, os.cpu_count() or 2))
#: The queues of steps that this worker serves.
WORKER_QUEUES = environment.env.list("DATANIKA_WORKER_QUEUES", default=["default"])
#: Seconds a worker that is asked to stop gives its running steps before it hands them back.
DRAIN_SECONDS = environment.env.int("DATANIKA_DRAIN_SECONDS", default=45)
#: Seconds after which a silent worker counts as lost; it renews every third of it.
LEASE_SECONDS = environment.env.int("DATANIKA_LEASE_SECONDS", default=30)
#: Limits of one child, in MiB and seconds.
STEP_MEMORY_MB = environment.env.int("DATANIKA_STEP_MEMORY_MB", default=4096)
STEP_TIMEOUT_SECONDS = environment.env.int("DATANIKA_STEP_TIMEOUT_SECONDS", default=6 * 3600)
#: What a step's directories on the worker may hold, in MiB.
STEP_DISK_MB = environment.env.int("DATANIKA_STEP_DISK_MB", default=20_480)
#: How long a process remembers the platform settings; what operators change reaches everyone after it.
PLATFORM_SETTINGS_SECONDS = 3.0
#: "private-allowed" for your own network, "public-only" when strangers use the installation.
EGRESS_POLICY = environment.env.str("DATANIKA_EGRESS", default="private-allowed")
#: Directories outside the organization's own files that connections may read.
ALLOWED_FILE_ROOTS = environment.env.list("DATANIKA_ALLOWED_FILE_ROOTS", default=[])

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"datanika": {"level": "INFO"}, "django.request": {"level": "ERROR"}},
}
