"""The scheduler component: its process and its probe."""
