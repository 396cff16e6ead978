# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images: what qemu and openvz nodes are made of.

Made on the controller, built there (recipe, build, initrd) or fetched (fetch), and kept, one directory for each digest (store).
"""
