# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Images: what qemu and openvz nodes are made of.

Made on the controller, built there (recipe, build, initrd) or fetched (fetch), and kept, one directory for each digest (store).
"""
