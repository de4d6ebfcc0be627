"""The formats that clients speak: a request of each becomes one form, and one answer becomes each."""
