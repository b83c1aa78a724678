"""The integration with nbgrader: autograde, settings, exporters, exchange, Moodle."""
