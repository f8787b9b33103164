"""Look-alikes of other libraries' locks, to move code over without changing it."""
