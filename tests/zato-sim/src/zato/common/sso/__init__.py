"""Single sign-on, as far as commands and servers share it: rows of users and sessions, and what is secret in them."""
