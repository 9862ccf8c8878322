"""What people write and what they are shown: YAML that knows its lines, charts and pages. No I/O."""
