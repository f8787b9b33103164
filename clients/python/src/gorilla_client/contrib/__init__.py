"""Locks inside of other libraries. Each module needs its library, and nothing else imports it."""
