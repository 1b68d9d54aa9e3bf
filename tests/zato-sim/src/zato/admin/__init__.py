"""The dashboard component: its process, its login and its probe."""
