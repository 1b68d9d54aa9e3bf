"""zato-sim: a stand-in for a Zato 3.2 installation. See the README."""
