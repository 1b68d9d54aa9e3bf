from core_account import find
from model_account import Account
from zato.server.service import Service


class GetAccount(Service):
    """ Returns an account by its number.
    """
    name = 'project.account.get'
    input = 'account_id'
    output = Account

    def handle(self):
        self.response.payload = find(self.request.input.account_id)
