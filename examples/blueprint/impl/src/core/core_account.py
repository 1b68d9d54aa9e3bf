from model_account import Account

OWNERS = {1: 'Ann', 2: 'Bob'}


def find(account_id):
    account = Account()
    account.account_id = account_id
    account.owner = OWNERS.get(account_id, 'nobody')
    return account
