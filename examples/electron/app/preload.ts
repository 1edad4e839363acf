// Runs in the sandbox before the page. The page gets these three functions, never ipcRenderer itself.
import { contextBridge, ipcRenderer } from 'electron';
import type { Desktop } from './desktop.js';

const desktop: Desktop = {
  settings: () => ipcRenderer.invoke('settings'),
  save: (settings) => ipcRenderer.invoke('save', settings),
  onPower: (listener) => {
    ipcRenderer.on('power', (_event, name) => listener(name));
  },
};

contextBridge.exposeInMainWorld('desktop', desktop);
