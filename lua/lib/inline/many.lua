-- From so many places on, each request that joins the queue looks for places of replicas that died.
local MANY = 16
