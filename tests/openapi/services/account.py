# -*- coding: utf-8 -*-

from zato.server.service import Service


class GetUserAccount(Service):
    """ Returns user account details based on user ID and type.
    """
    name = 'api.get.user.account'

    class SimpleIO:
        """
        * account_id - ID of the user account to return
        * user_type - Type of the user the account belongs to

        * user_name - Name of the user to whom account_id belongs
        * needs_review - A flag indicating whether the account needs to be reviewed
        """
        input_required = 'account_id', 'user_type'
        output_required = 'user_name', 'needs_review'

    def handle(self):
        self.response.payload.user_name = 'my.user'
        self.response.payload.needs_review = True
