from dataclasses import dataclass

from zato.server.service import Model


@dataclass(init=False)
class Account(Model):
    account_id: int
    owner: str
