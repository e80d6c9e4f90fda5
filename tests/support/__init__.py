"""What tests share: hosts, servers, databases, helpers."""
