"""Methods of personalisation."""
