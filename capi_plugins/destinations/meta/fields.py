"""What Meta documents of the Conversions API: field names, enumerations, limits, error codes.

Tables only, no behaviour. Source: Meta's developer documentation, Conversions API parameters
(2026-09-12), and, where a name says so, Meta's Business SDK 26.0.3 (``serverside``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

HASHED_KEYS: Final = frozenset(
    [
        "country",
        "ct",
        "db",
        "dobd",
        "dobm",
        "doby",
        "em",
        "external_id",
        "f5first",
        "f5last",
        "fi",
        "fn",
        "ge",
        "ln",
        "ph",
        "st",
        "zp",
    ]
)
"""``user_data`` keys Meta wants as lowercase hex SHA-256 (customer-information-parameters)."""

LIST_KEYS: Final = frozenset(
    ["country", "ct", "db", "em", "external_id", "fn", "ge", "ln", "ph", "st", "zp"]
)
"""``user_data`` keys that may be a list of strings."""

PLAIN_KEYS: Final = frozenset(
    [
        "anon_id",
        "client_ip_address",
        "client_user_agent",
        "ctwa_clid",
        "fb_login_id",
        "fbc",
        "fbp",
        "ig_account_id",
        "ig_sid",
        "instagram_business_account_id",
        "lead_id",
        "madid",
        "page_id",
        "page_scoped_user_id",
        "partner_id",
        "partner_name",
        "subscription_id",
        "whatsapp_business_account_id",
    ]
)
"""``user_data`` keys that must never be hashed."""

REQUEST_KEYS: Final = frozenset(
    [
        "access_token",
        "appsecret_proof",
        "data",
        "namespace_id",
        "partner_agent",
        "platforms",
        "progress",
        "test_event_code",
        "trace",
        "upload_id",
        "upload_source",
        "upload_tag",
    ]
)
"""Top-level members of a request (main-body page and Business SDK)."""

PARTNER_AGENT_MAX: Final = 22
"""Longest ``partner_agent`` (set-up-as-platform page)."""

EVENT_KEYS: Final = frozenset(
    [
        "action_source",
        "advanced_measurement_table",
        "app_data",
        "attribution_data",
        "custom_data",
        "customer_segmentation",
        "data_processing_options",
        "data_processing_options_country",
        "data_processing_options_state",
        "event_id",
        "event_name",
        "event_source_url",
        "event_time",
        "messaging_channel",
        "opt_out",
        "original_event_data",
        "referrer_url",
        "user_data",
    ]
)
"""Keys of one event; any other is refused as "Unexpected key"."""

ACTION_SOURCES: Final = (
    "email",
    "website",
    "app",
    "phone_call",
    "chat",
    "physical_store",
    "system_generated",
    "business_messaging",
    "other",
)

MESSAGING_CHANNELS: Final = ("messenger", "whatsapp", "instagram")

MESSAGING_EVENTS: Final = frozenset(
    [
        "AddToCart",
        "CartAbandoned",
        "InitiateCheckout",
        "LeadSubmitted",
        "OrderCanceled",
        "OrderCreated",
        "OrderDelivered",
        "OrderReturned",
        "OrderShipped",
        "Purchase",
        "QualifiedLead",
        "RatingProvided",
        "ReviewProvided",
        "ViewContent",
    ]
)
"""Event names ``business_messaging`` takes (business-messaging page)."""

STANDARD_EVENTS: Final = (
    "AddPaymentInfo",
    "AddToCart",
    "AddToWishlist",
    "CompleteRegistration",
    "Contact",
    "CustomizeProduct",
    "Donate",
    "FindLocation",
    "InitiateCheckout",
    "Lead",
    "PageView",
    "Purchase",
    "Schedule",
    "Search",
    "StartTrial",
    "SubmitApplication",
    "Subscribe",
    "ViewContent",
)

APP_DATA_KEYS: Final = frozenset(
    [
        "advertiser_tracking_enabled",
        "application_tracking_enabled",
        "campaign_ids",
        "consider_views",
        "extinfo",
        "include_dwell_data",
        "include_video_data",
        "install_referrer",
        "installer_package",
        "receipt_data",
        "url_schemes",
        "vendor_id",
        "windows_attribution_id",
    ]
)

EXTINFO: Final = (
    "version",
    "app_package_name",
    "short_version",
    "long_version",
    "os_version",
    "device_model_name",
    "locale",
    "timezone_abbreviation",
    "carrier",
    "screen_width",
    "screen_height",
    "screen_density",
    "cpu_cores",
    "external_storage_gb",
    "free_storage_gb",
    "device_timezone",
)
"""The sixteen slots of ``app_data.extinfo``, in order (app-data page)."""

EXTINFO_VERSIONS: Final = ("a2", "i2")

ORIGINAL_EVENT_KEYS: Final = ("event_name", "event_time", "order_id", "event_id")

ATTRIBUTION_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "scope": "string",
        "visit_time": "integer",
        "ad_id": "string",
        "adset_id": "string",
        "campaign_id": "string",
        "attribution_share": "number",
        "attribution_model": "enum",
        "attr_window": "integer",
        "attribution_value": "number",
        "attribution_source": "string",
        "touchpoint_type": "string",
        "touchpoint_ts": "integer",
        "attribution_method": "enum",
        "decline_reason": "enum",
        "auditing_token": "string",
        "linkage_key": "string",
        "touchpoint_id": "string",
        "attribution_setting": "object",
        "total_credit": "number",
        "partner_client_id": "string",
    }
)
"""Members of ``attribution_data`` (append-attribution page and Business SDK)."""

ATTRIBUTION_ENUMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "attribution_model": (
            "customized_multi_touch",
            "first_touch",
            "last_click",
            "last_touch",
            "linear",
            "position_based",
            "time_decay",
            "unknown",
        ),
        "attribution_method": ("ard", "deeplink", "gpir", "invalid_response", "mir", "srn"),
        "decline_reason": (
            "attribute_to_other_source",
            "out_of_lookback_window",
            "view_through_disabled",
            "within_inactive_window",
            "inactive",
            "fraud_detected",
            "unknown",
            "reinstall_attribution_disabled",
            "lookback",
            "not_pmod_match",
            "validation_rule_detected",
            "preload_install",
            "min_time_between_re_engagements",
            "duplicated",
            "pmod_disabled",
        ),
    }
)
"""Allowed values of the ``enum`` members of ``attribution_data``."""

LDU_COUNTRIES: Final = frozenset([0, 1])

LDU_STATES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "geolocate",
        1000: "California",
        1001: "Colorado",
        1002: "Connecticut",
        1003: "Florida",
        1004: "Oregon",
        1005: "Texas",
        1006: "Montana",
        1007: "Delaware",
        1008: "Nebraska",
        1009: "New Hampshire",
        1010: "New Jersey",
        1011: "Minnesota",
        1012: "Maryland",
        1013: "Rhode Island",
    }
)
"""``data_processing_options_state`` (data-processing-options page)."""

TOO_BROAD: Final = (
    frozenset(["ct", "country", "st", "zp", "ge", "client_user_agent"]),
    frozenset(["db", "client_user_agent"]),
    frozenset(["fn", "ge"]),
    frozenset(["ln", "ge"]),
)
"""Sets of ``user_data`` keys that Meta counts as no customer information (best-practices page)."""

CURRENCIES: Final = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN
    BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR
    FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY
    KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON
    RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP
    TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB
    XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905 - a table, not a list of lines
)
"""ISO 4217 codes in use."""

MAX_BATCH: Final = 1000
"""Events in one request (using-the-api page)."""
MAX_AGE: Final = 7 * 86400
"""Oldest ``event_time``, seconds (server-event page)."""
MAX_AGE_PHYSICAL_STORE: Final = 62 * 86400
"""The same for ``physical_store`` (using-the-api page)."""
CLICK_ID_MAX_AGE: Final = 90 * 86400
"""Life of ``_fbc`` and ``_fbp``, seconds (fbp-and-fbc page)."""

GRAPH_VERSIONS: Final[Mapping[str, str | None]] = MappingProxyType(
    {
        "v26.0": None,
        "v25.0": "2028-07-29",
        "v24.0": "2028-02-18",
        "v23.0": "2027-10-08",
        "v22.0": "2027-05-20",
        "v21.0": "2027-01-21",
        "v20.0": "2026-09-24",
        "v19.0": "2026-05-21",
        "v18.0": "2026-01-26",
    }
)
"""Graph API versions and the day each stops, ISO 8601 (changelog/versions)."""
