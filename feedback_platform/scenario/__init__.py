"""The proof: simulated users before the real server, for weeks that take minutes.

`definition_file` reads what a person wrote into a `definition`. `story` tells it: day after day
users come (`simulation`), ask the real application for lists (`in_process`, `product`), react by
their true chances, and what follows from it is processed and learned by the real jobs (`runs`).
All of them live by one `virtual_clock`. `truth` keeps what nobody but the simulation knows,
`readings` what the platform says of itself, and `findings` holds one against the other.
"""
