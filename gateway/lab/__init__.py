"""Scripted phones and the demo: what a customer's CI can use too. In reading order:

script      what a phone does
audio rtp   G.711, tones; packets, the strict judge of a stream
phone       the scripted phone, pure
network     a bad network in virtual time
sockets     a phone on real UDP sockets [IO]
analysis    which tone is heard, how loud
ladder      a call on the terminal
receiver client ports node   the customer's server and client, the node as a process and its ports [IO]
checks      the closing table
demo        ``maskline demo`` [IO]
"""
