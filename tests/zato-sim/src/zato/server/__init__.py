"""The server: master process, workers, HTTP, services and hot deployment."""
