"""Where the kit plugs into nbgrader: autograde, settings, exporters, exchange, Moodle."""
