# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images: what qemu and openvz nodes are made of.

The controller has them: it builds them (recipe, build, initrd) or fetches them (opening, fetch), as their source wants (sources), and keeps
one directory for each digest (store).
"""
