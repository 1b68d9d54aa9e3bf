"""Of the package gevent, what startup callables need to reach threads of the operating system."""
