"""A fork of one app of oscar, as its documentation says how a shop has prices of its own."""

from oscar.apps.partner import apps


class PartnerConfig(apps.PartnerConfig):
    name = "american.partner"
