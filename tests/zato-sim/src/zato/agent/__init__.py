"""The load balancer's agent."""
