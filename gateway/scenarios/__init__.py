"""The lab for customers' CI: whole calls in virtual time.

stage   phones, carrier, network, exchange and media rooms in virtual time
"""
