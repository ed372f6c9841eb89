"""Random request scripts, played on two servers in step, and judged."""
